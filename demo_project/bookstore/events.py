"""Which signals become which events. eventbridge finds this module by its name."""

from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete

from eventbridge import bridge

from .contracts import AuthorDeleted, BookDeleted, BookPublished, BookSaved
from .models import Author, Book
from .signals import book_published


@bridge(pre_delete, sender=Author)
def author_deleted(instance: Author, **kwargs: Any) -> AuthorDeleted:
    """An author is being deleted: their books can go."""
    return AuthorDeleted(author_id=instance.pk, full_name=instance.full_name)


@bridge(book_published)
def book_was_published(book: Book, author: Author | None, **kwargs: Any) -> BookPublished:
    """A book became Published: its author can be told."""
    return BookPublished(
        book_id=book.pk,
        title=book.title,
        author_id=book.author_id,
        author_name=author.full_name if author else "",
        author_email=author.email if author else "",
    )


@bridge(post_save, sender=Book)
def book_saved(instance: Book, created: bool, **kwargs: Any) -> BookSaved:
    """A book was written, for whoever keeps a copy or an index."""
    return BookSaved(
        book_id=instance.pk,
        title=instance.title,
        slug=instance.slug,
        status=instance.status,
        author_id=instance.author_id,
        created=created,
    )


@bridge(post_delete, sender=Book)
def book_deleted(instance: Book, **kwargs: Any) -> BookDeleted:
    """A book is gone, for whoever keeps a copy or an index."""
    return BookDeleted(book_id=instance.pk, title=instance.title, author_id=instance.author_id)
