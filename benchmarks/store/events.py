"""What the shop tells others."""

from django.db.models.signals import post_save

from benchmarks.store.contracts import BookSaved
from benchmarks.store.models import Book
from eventbridge import bridge


@bridge(post_save, sender=Book)
def book_saved(instance: Book, created: bool, **kwargs: object) -> BookSaved:
    return BookSaved(
        book_id=instance.pk,
        title=instance.title,
        slug=instance.slug,
        status=instance.status,
        author_id=instance.author_id,
        created=created,
    )
