"""TrailStep: something that happened to an event, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.db import connections, models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from eventbridge.models import sql
from eventbridge.models.heartbeat import Heartbeat

_MOST_STEPS = 1_000  # of one event that are shown
_ENOUGH = 20_000  # steps to tell rates from


class NewStep(NamedTuple):
    """What ``write`` writes, column by column. ``at`` knows its time zone."""

    event_id: str
    type: str
    subject: str
    cause: str
    what: str
    at: Any
    consumer: str = ""
    attempt: int = 0
    milliseconds: float | None = None
    note: str = ""


class Rate(NamedTuple):
    """``each_second``: so many steps of this kind."""

    type: str
    consumer: str
    what: str
    each_second: float


class TrailQuerySet(models.QuerySet["TrailStep"]):
    def write(self, steps: Sequence[NewStep]) -> None:
        """Add these."""
        sql.insert(self.db, TABLE, [step._replace(at=_stored(step.at, self.db)) for step in steps])

    def prune(self, older: float, limit: int) -> int:
        """Forget up to so many steps that are older than that (seconds), the oldest first; how many."""
        oldest = f"SELECT id FROM {TABLE} WHERE at < %s ORDER BY at LIMIT %s"
        before = _stored(datetime.now(UTC) - timedelta(seconds=older), self.db)
        return sql.changed(self.db, f"DELETE FROM {TABLE} WHERE id {sql.some_of(self.db, oldest)}", [before, limit])

    def firsts(self) -> TrailQuerySet:
        """Of each event the first of these steps, the latest first: an event, once, where the trail meets it."""
        earlier = Q(at__lt=OuterRef("at")) | Q(at=OuterRef("at"), pk__lt=OuterRef("pk"))
        return self.filter(~Exists(self.order_by().filter(earlier, event_id=OuterRef("event_id")))).order_by(
            "-at", "-pk"
        )

    def before(self, at: datetime, pk: int) -> TrailQuerySet:
        """What ``firsts`` has after that step: the next page, however many came in between."""
        # `at <=` on its own lets an index be used, which an OR at the top would not.
        return self.filter(Q(at__lt=at) | Q(pk__lt=pk), at__lte=at)

    def journey(self, event_id: str) -> list[TrailStep]:
        """The steps of one event, as they happened."""
        return sorted(self.filter(event_id=event_id).order_by("pk")[:_MOST_STEPS], key=TrailStep.place)

    def journeys(self, event_ids: Sequence[str]) -> dict[str, list[TrailStep]]:
        """The steps of these events, as they happened."""
        found: dict[str, list[TrailStep]] = {event_id: [] for event_id in event_ids}
        steps = self.filter(event_id__in=found).order_by("pk")[: _MOST_STEPS * 10]
        for step in sorted(steps, key=TrailStep.place):
            found[step.event_id].append(step)
        return found

    def caused_by(self, event_id: str) -> list[TrailStep]:
        """The events that were emitted while that one was handled."""
        return list(self.filter(cause=event_id, what=TrailStep.What.RECORDED).order_by("pk")[:100])

    def rates(self, seconds: float = 60) -> list[Rate]:
        """How many steps of each kind each second brought lately. Where there are very many: more lately."""
        since = _stored(datetime.now(UTC) - timedelta(seconds=seconds), self.db)
        lately = f"SELECT type, consumer, what FROM {TABLE} WHERE at > %s ORDER BY at DESC LIMIT {_ENOUGH}"
        counts = f"SELECT type, consumer, what, count(*) FROM ({lately}) AS lately GROUP BY type, consumer, what"
        found = sql.rows(self.db, counts, [since])
        if sum(number for *_, number in found) >= _ENOUGH and seconds > 0.1:  # noqa: PLR2004 - no less
            return self.rates(seconds / 10)
        return [Rate(name, consumer, what, number / seconds) for name, consumer, what, number in found]


class TrailStep(models.Model):
    """One step of one event's journey.

    Times are those of the process in which it happened: clocks that differ show.
    """

    class What(models.TextChoices):
        RECORDED = "recorded"
        PARKED = "parked"
        RELAYED = "relayed"
        HANDLED = "handled"
        DUPLICATE = "duplicate"
        RETRIED = "retried"
        DEAD = "dead"
        REPLAYED = "replayed"

    id = models.BigAutoField(primary_key=True)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, blank=True)
    cause = models.CharField(max_length=255, blank=True, help_text="the event whose handler emitted it")
    what = models.CharField(max_length=20, choices=What)
    at = models.DateTimeField()
    consumer = models.CharField(max_length=200, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    milliseconds = models.FloatField(null=True, blank=True, help_text="how long the handler ran")
    note = models.TextField(blank=True)

    objects = TrailQuerySet.as_manager()

    class Meta:
        db_table = "eventbridge_trail"
        verbose_name = "event"
        verbose_name_plural = "event trail"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("event_id", "at"), name="eventbridge_trail_event"),
            models.Index(fields=("at",), name="eventbridge_trail_at"),
            models.Index(fields=("type", "at"), name="eventbridge_trail_type"),
            models.Index(fields=("subject", "at"), name="eventbridge_trail_subject"),
            models.Index(fields=("cause",), name="eventbridge_trail_cause", condition=~Q(cause="")),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.event_id} {self.what}"

    def place(self) -> tuple[int, datetime, int]:
        """Recorded first, then relayed or parked, then time decides: a quick consumer is done before the relay is."""
        first = {self.What.RECORDED: 0, self.What.PARKED: 1, self.What.RELAYED: 1}
        return first.get(self.What(self.what), 2), self.at, self.pk


class EventBus(Heartbeat):
    """Nothing of its own: the admin's page about the whole, and the permission to see it."""

    class Meta:
        proxy = True
        verbose_name = "event bus"
        verbose_name_plural = "event bus"
        default_permissions = ("view",)


def _stored(moment: datetime, using: str) -> Any:
    """A time as that database keeps it. With USE_TZ=False: its own clock, as all of our times are."""
    if not django_settings.USE_TZ:
        zone = UTC if connections[using].vendor == "sqlite" else timezone.get_default_timezone()
        moment = moment.astimezone(zone).replace(tzinfo=None)
    return connections[using].ops.adapt_datetimefield_value(moment)


TABLE = TrailStep._meta.db_table
