"""Step: something that happened to an event, and when."""

from datetime import datetime

from django.db import models


class StepQuerySet(models.QuerySet["Step"]):
    """Steps, by event."""

    def ways(self, newest: int) -> dict[str, list["Step"]]:
        """The steps of the newest events, the newest event first, each event's steps as they happened."""
        starts = self.filter(what=Step.What.RECORDED).order_by("-pk")[:newest]
        ways: dict[str, list[Step]] = {start.event_id: [] for start in starts}
        for step in sorted(self.filter(event_id__in=ways), key=Step.place):
            ways[step.event_id].append(step)
        return ways


class Step(models.Model):
    """One step of one event's way. `who` is the consumer where there is one; `note` is for people."""

    class What(models.TextChoices):
        RECORDED = "recorded"
        RELAYED = "relayed"
        HANDLED = "handled"
        FAILED = "failed"
        DEAD = "dead"

    event_id = models.CharField(max_length=255, db_index=True)
    type = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, blank=True)
    what = models.CharField(max_length=20, choices=What.choices)
    who = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)
    at = models.DateTimeField()

    objects = StepQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.type} {self.event_id} {self.what}"

    def place(self) -> tuple[bool, bool, datetime, int]:
        """Recorded comes first, relayed second, then time decides: a quick consumer is done before the relay is."""
        return self.what != self.What.RECORDED, self.what != self.What.RELAYED, self.at, self.pk
