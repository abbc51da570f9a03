"""The bookstore's own signals."""

from django.dispatch import Signal

book_published = Signal()
"""A book became Published. Sent in the transaction, with `sender=Book`, `book`, `author` (or None) and `using`."""
