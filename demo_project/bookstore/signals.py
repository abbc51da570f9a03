"""The bookstore's own signals."""

from django.dispatch import Signal

book_published = Signal()
"""A book became Published. Sent in the transaction with `book`, `author` (or None) and `using`; any code may."""
