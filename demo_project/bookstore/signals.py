"""The bookstore's own signals."""

from django.dispatch import Signal

book_published = Signal()
"""A book's status became Published. Sent with `sender=Book`, `book`, `author` (or None) and `using`, in the transaction."""
