"""Authors and books. A book knows its author by number only: deleting an author deletes no book by itself."""

from collections.abc import Iterable

from django.db import models, router, transaction
from django.db.models.base import ModelBase
from django.urls import reverse

from .signals import book_published


class Author(models.Model):
    """Somebody who writes. Without an email address they are not told about their books."""

    full_name = models.CharField(max_length=200)
    short_name = models.CharField(max_length=60)
    email = models.EmailField(blank=True)

    class Meta:
        ordering = ("full_name", "pk")

    def __str__(self) -> str:
        return self.full_name


class Book(models.Model):
    """A text with a title. Its status says who may read it."""

    class Status(models.TextChoices):
        DRAFTED = "Drafted"
        PUBLISHED = "Published"

    title = models.CharField(max_length=200)
    slug = models.SlugField(
        max_length=200,
        unique=True,
        allow_unicode=True,
        error_messages={"unique": "Another book has this slug already."},
    )
    content = models.TextField(blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.DRAFTED)
    author_id = models.PositiveIntegerField(null=True, blank=True, db_index=True)

    class Meta:
        ordering = ("title", "pk")

    def __str__(self) -> str:
        return self.title

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Save, and send `book_published` in the same transaction if the row's status becomes Published by it."""
        using = using or router.db_for_write(Book, instance=self)
        fields = None if update_fields is None else list(update_fields)
        with transaction.atomic(using=using):
            becomes_published = (fields is None or "status" in fields) and self._is_not_yet_published(using)
            super().save(force_insert=force_insert, force_update=force_update, using=using, update_fields=fields)
            if becomes_published:
                book_published.send(sender=Book, book=self, author=self.author(using), using=using)

    def get_absolute_url(self) -> str:
        """The book's page."""
        return reverse("book", args=[self.pk])

    @property
    def is_published(self) -> bool:
        """Whether this instance says Published (the row may say otherwise until it is saved)."""
        return self.status == self.Status.PUBLISHED

    def author(self, using: str | None = None) -> Author | None:
        """The author, or None if there is none or they were deleted. Asks the database every time."""
        return Author.objects.using(using).filter(pk=self.author_id or 0).first()

    def publish(self) -> None:
        """Make the book Published and save that."""
        self.status = self.Status.PUBLISHED
        self.save(update_fields=["status"])

    def _is_not_yet_published(self, using: str) -> bool:
        """Published here, but not in the row, which is locked: of two that publish at once, one does."""
        if not self.is_published:
            return False
        row = Book.objects.using(using).select_for_update().filter(pk=self.pk)
        return row.values_list("status", flat=True).first() != self.Status.PUBLISHED
