"""What the handlers did."""

from django.db import models


class Effect(models.Model):
    """One handler's work for one message. Nothing keeps it from being there twice but eventbridge."""

    consumer = models.CharField(max_length=40)
    source = models.CharField(max_length=255)
    event_id = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    note = models.CharField(max_length=200)
    at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.consumer} {self.event_id}"
