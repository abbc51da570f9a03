"""What the business does, and what the events did."""

from django.db import models


class Counter(models.Model):
    """A subject. Its row is locked by whoever changes it, so that its events are in order."""

    key = models.CharField(max_length=20, primary_key=True)
    n = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.key}: {self.n}"


class Ledger(models.Model):
    """The truth of what was committed: a row for each event, in the event's own transaction."""

    event_id = models.CharField(max_length=36, unique=True)
    key = models.CharField(max_length=20)
    n = models.PositiveIntegerField()
    does = models.CharField(max_length=20, blank=True)
    to = models.CharField(max_length=40, blank=True)

    def __str__(self) -> str:
        return self.event_id


class Effect(models.Model):
    """What a handler did. Nothing keeps it from being there twice but eventbridge."""

    consumer = models.CharField(max_length=40)
    event_id = models.CharField(max_length=36)
    key = models.CharField(max_length=20)
    n = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.consumer} {self.event_id}"
