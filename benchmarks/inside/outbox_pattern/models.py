"""The same book, published by django-outbox-pattern."""

from typing import Any

from django.db import models
from django_outbox_pattern.decorators import Config, publish

DESTINATION = "/exchange/bench.outbox-pattern/book.saved"


@publish([Config(destination=DESTINATION, serializer="as_event")])
class PublishedBook(models.Model):
    title = models.CharField(max_length=200)
    slug = models.CharField(max_length=50)
    content = models.TextField()
    status = models.CharField(max_length=20, default="Drafted")
    author_id = models.PositiveIntegerField(null=True)

    class Meta:
        app_label = "outbox_pattern"

    def __str__(self) -> str:
        return self.title

    def as_event(self) -> dict[str, Any]:
        """What our own event says, too."""
        return {
            "book_id": self.pk,
            "title": self.title,
            "slug": self.slug,
            "status": self.status,
            "author_id": self.author_id,
            "created": True,
        }
