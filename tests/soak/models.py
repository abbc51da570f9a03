"""What was committed, and what came of it."""

from django.db import models


class Committed(models.Model):
    """A transaction, with the number of its events: written with them."""

    events = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.events} events"


class Effect(models.Model):
    """What a handler did. Nothing keeps it from being there twice but eventbridge."""

    consumer = models.CharField(max_length=40)
    event_id = models.CharField(max_length=36)

    def __str__(self) -> str:
        return f"{self.consumer} {self.event_id}"
