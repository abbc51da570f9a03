"""Two models of one shape: one whose saves are events, one whose saves are nothing but saves."""

from django.db import models


class _Book(models.Model):
    title = models.CharField(max_length=200)
    slug = models.CharField(max_length=50)
    content = models.TextField()
    status = models.CharField(max_length=20, default="Drafted")
    author_id = models.PositiveIntegerField(null=True)

    class Meta:
        abstract = True


class Book(_Book):
    """Every save is an event."""

    def __str__(self) -> str:
        return self.title


class PlainBook(_Book):
    """The same without events: what everything else is compared with."""

    def __str__(self) -> str:
        return self.title


class Stock(models.Model):
    """What handlers change: one UPDATE each."""

    sold = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.pk}: {self.sold}"
