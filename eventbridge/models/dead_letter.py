"""DeadLetter: an event that a consumer could not handle, whole, with its story."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from eventbridge.redaction import masked, masked_headers
from eventbridge.wording import one_line

_IN_HAND = Q(replay_at__gt=Now()) & ~Q(lease="")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many letters, and how many of them are marked for replay or in a consumer's hands."""

    count: int
    marked: int
    in_hand: int


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    def bury(self, letter: DeadLetter) -> None:
        """Write the letter; the same message of the same consumer is one row, with its last story."""
        of_the_end = ("exception", "error", "traceback", "reason", "attempts", "died_at", "replay_at", "lease")
        story = (*of_the_end, "subject", "redacted")  # what is redacted may have changed
        self.bulk_create(
            [letter], update_conflicts=True, unique_fields=("consumer", "fingerprint"), update_fields=story
        )

    def resting(self) -> DeadLetterQuerySet:
        """Those that are not marked for replay."""
        return self.filter(replay_at=None)

    def not_in_hand(self) -> DeadLetterQuerySet:
        """All but those that a consumer has in its hands."""
        return self.exclude(_IN_HAND)

    def seen(self) -> DeadLetterQuerySet:
        """With ``now``, by the database's clock, and ``in_hand``: what ``replay_state`` needs."""
        in_hand = models.ExpressionWrapper(_IN_HAND, output_field=models.BooleanField())
        return self.annotate(now=Now(), in_hand=in_hand)

    def replay(self) -> int:
        """Mark these for their consumer, which takes them up as it would a delivery."""
        return self.resting().update(replay_at=Now(), replay_attempt=0, replays=F("replays") + 1, lease="")

    def discard(self) -> int:
        """Delete these, for good, but for those that a consumer has in its hands."""
        return self.not_in_hand().delete()[0]

    def take(self, consumer: str, lease: str, seconds: float, limit: int) -> list[tuple[DeadLetter, bool]]:
        """Lease marked letters to whoever calls ``lease`` its own.

        With each comes whether somebody had it and vanished.
        """
        ready = self.filter(consumer=consumer, replay_at__lte=Now())
        before = dict(ready.order_by("replay_at", "pk").values_list("pk", "lease")[:limit])
        until = Now() + timedelta(seconds=seconds)
        # Conditional, so that of two processes that chose the same rows one gets them.
        if not before or not ready.filter(pk__in=before).update(lease=lease, replay_at=until):
            return []
        return [(letter, before[letter.pk] != "") for letter in self.filter(pk__in=before, lease=lease)]

    def renew(self, lease: str, seconds: float) -> None:
        """Hold everything taken under that lease for so many seconds from now."""
        self.filter(lease=lease).update(replay_at=Now() + timedelta(seconds=seconds))

    def later(self, pk: int, lease: str, seconds: float, attempt: int) -> None:
        """Not now: take it up again in so many seconds, as that attempt."""
        held = self.filter(pk=pk, lease=lease)
        held.update(replay_at=Now() + timedelta(seconds=seconds), replay_attempt=attempt - 1, lease="")

    def counts(self) -> dict[str, Counts]:
        """Of each consumer, from indices alone: by ``groups`` every letter would be read, however many there are."""
        consumers = self.order_by().values_list("consumer")
        in_hand = models.Count("pk", filter=_IN_HAND)
        replaying = consumers.filter(replay_at__isnull=False).annotate(number=models.Count("pk"), in_hand=in_hand)
        of = {name: (number - held, held) for name, number, held in replaying}
        totals = consumers.annotate(number=models.Count("*"))
        # Two looks at what changes: there are at least as many as are being replayed.
        return {
            name: Counts(max(number, sum(of.get(name, ()))), *of.get(name, (0, 0))) for name, number in sorted(totals)
        }

    def groups(self) -> Any:
        """How many there are of each consumer, type and exception, and since when; how many of
        them are marked for replay and how many in a consumer's hands."""
        keys = ("consumer", "type", "reason", "exception")
        return (
            self.values(*keys)
            .annotate(
                count=models.Count("pk"),
                marked=models.Count("pk", filter=Q(replay_at__isnull=False) & ~_IN_HAND),
                in_hand=models.Count("pk", filter=_IN_HAND),
                first=models.Min("died_at"),
                last=models.Max("died_at"),
                now=models.Max(Now()),
            )
            .order_by("-count", *keys)
        )


class DeadLetter(models.Model):
    """A whole message and why it could not be handled. It never expires by itself.

    ``body`` is byte-identical to what arrived; ``shown_body`` and ``shown_headers`` are for people and
    programs, without the values of ``redacted`` members. ``replay_at`` is set while it is marked for replay,
    and lies ahead, with a ``lease``, while a consumer has it in its hands.
    """

    class Reason(models.TextChoices):
        FAILED = "failed", "every attempt failed"
        REJECTED = "rejected", "the handler rejected it"
        MALFORMED = "malformed", "it could not be read"
        UNHANDLED = "unhandled", "no handler for its type"
        CRASHED = "crashed", "its process died, again and again"

    id = models.BigAutoField(primary_key=True)
    consumer = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    event_id = models.CharField(max_length=255, blank=True)
    source = models.CharField(max_length=255, blank=True)
    type = models.CharField(max_length=255, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    routing_key = models.CharField(max_length=255, blank=True)
    content_type = models.CharField(max_length=255, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    body = models.BinaryField()
    reason = models.CharField(max_length=20, choices=Reason)
    exception = models.CharField(max_length=255, blank=True)
    error = models.TextField(blank=True)
    traceback = models.TextField(blank=True)
    attempts = models.PositiveIntegerField(default=0)
    redacted = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)
    died_at = models.DateTimeField(db_default=Now())
    replays = models.PositiveIntegerField(default=0)
    replay_at = models.DateTimeField(null=True, blank=True)
    replay_attempt = models.PositiveIntegerField(default=0)
    lease = models.CharField(max_length=64, default="", blank=True)

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        db_table = "eventbridge_dead_letter"
        ordering = ("-died_at", "-id")
        constraints = (
            models.UniqueConstraint(fields=("consumer", "fingerprint"), name="eventbridge_dead_letter_once"),
        )
        indexes = (
            models.Index(
                fields=("consumer", "replay_at"),
                name="eventbridge_dead_replaying",
                condition=Q(replay_at__isnull=False),
            ),
            models.Index(fields=("event_id",), name="eventbridge_dead_event"),
        )

    def __str__(self) -> str:
        return one_line(f"{self.consumer} {self.type or 'unreadable message'} {self.event_id}")

    @property
    def shown_body(self) -> bytes:
        return masked(bytes(self.body), self.redacted)

    @property
    def shown_headers(self) -> dict[str, Any]:
        return masked_headers(self.headers, self.redacted)

    @property
    def replay_state(self) -> str:
        """How its replays went, in words; empty if there were none. Of letters that are ``seen``."""
        if self.replay_at is None:
            times = "once" if self.replays == 1 else f"{self.replays:,} times"
            return f"replayed {times}, failed again" if self.replays else ""
        return "in a consumer's hands" if self.in_hand else "marked for replay"  # type: ignore[attr-defined]  # annotated
