"""OutboxEntry: an event on its way from a committed transaction to the broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db import models
from django.db.models import Exists
from django.db.models.functions import Now

from eventbridge.models import doorbell, sql
from eventbridge.models.lease import Lease

_BATCH_BYTES = 8 * 1024 * 1024
_GAPS = 4  # times as many ids are looked through as events are wanted: parked ones, and those of others' rollbacks

_NEAR = 2_000  # entries on either side of where an event should be that are looked through


class NewEntry(NamedTuple):
    """What ``record`` writes, column by column."""

    event_id: str
    type: str
    mandatory: bool
    headers: str
    body: str


class PendingEntry(NamedTuple):
    """What the relay reads."""

    id: int
    event_id: str
    type: str
    mandatory: bool
    headers: str
    body: str
    recorded: int
    """Whole seconds since the epoch."""


class Backlog(NamedTuple):
    """How many entries there are; ``oldest`` is the age of the oldest pending one in seconds, or None."""

    pending: int
    parked: int
    oldest: float | None


class OutboxQuerySet(models.QuerySet["OutboxEntry"]):
    def record(self, entries: Sequence[NewEntry]) -> None:
        """Write entries in this order, by one statement (on SQLite for up to 6,400 of them).

        Part of the transaction that is open on this database; by itself if there is none. A relay that
        sleeps is woken by the commit.
        """
        sql.insert(self.db, TABLE, entries, doorbell.ring)

    def pending(self, limit: int, size: int = _BATCH_BYTES, above: int = 0) -> list[PendingEntry]:
        """The oldest entries that are not parked, in the order of their ids: at least one, if there is one.

        Together about ``size`` bytes at most, however large they are; only ids above that one. By state,
        not by a cursor: a transaction that commits late is not passed over.
        """
        columns = f"{', '.join(PendingEntry._fields[:-1])}, {sql.epoch(self.db, 'created_at')}"
        first = f"(SELECT min(id) FROM {TABLE} WHERE parked_at IS NULL AND id > %(above)s)"
        # Without bounds PostgreSQL sorts the whole backlog for each batch, if its statistics say that there is none.
        statement = f"""
            SELECT {columns} FROM (
                SELECT *, coalesce(sum({sql.length(self.db, "body")}) OVER earlier, 0) AS before
                FROM {TABLE}
                WHERE parked_at IS NULL AND id >= {first} AND id < {first} + %(near)s
                WINDOW earlier AS (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                ORDER BY id LIMIT %(limit)s
            ) AS oldest
            WHERE before < %(size)s ORDER BY id
        """
        values = {"above": above, "near": limit * _GAPS, "limit": limit, "size": size}
        return [PendingEntry._make(row) for row in sql.rows(self.db, statement, values)]

    def done(self, ids: Sequence[int]) -> int:
        """Forget entries that the broker has confirmed, in one statement."""
        if not ids:
            return 0
        test, parameter = sql.one_of(self.db, ids)
        return sql.changed(self.db, f"DELETE FROM {TABLE} WHERE id {test}", [parameter])

    def park(self, pk: int, reason: str, token: int) -> bool:
        """Set an entry aside, with the reason; only for the relay that still holds the lease."""
        holds = Lease.objects.using(self.db).filter(name="relay", token=token)
        entry = self.filter(Exists(holds), pk=pk, parked_at=None)
        return bool(entry.update(parked_at=Now(), parked_reason=reason))

    def backlog(self) -> Backlog:
        """What waits here, by the database's clock."""
        pending = self.filter(parked_at=None)
        first = pending.order_by("id").values_list("created_at", Now())[:1]
        oldest = [(now - since).total_seconds() for since, now in first]
        return Backlog(pending.count(), self.parked().count(), max(oldest[0], 0.0) if oldest else None)

    def seek(self, event_id: str) -> OutboxEntry | None:
        """The entry of that event, though no index has its id: each would slow every emit.

        An event's id (UUIDv7) and its entry's are made one after the other, so that both rise together:
        halving the ids leads near it. It is not found if more than 2,000 others were recorded between the
        time that its id tells and its place: by machines whose clocks differ by so much.
        """
        ends = self.aggregate(low=models.Min("id"), high=models.Max("id"))
        low, high = ends["low"] or 0, ends["high"] or 0
        while high - low > _NEAR:
            middle = (low + high) // 2
            there = self.filter(id__gte=middle).order_by("id").values_list("event_id", flat=True).first()
            low, high = (middle, high) if there and there <= event_id else (low, middle)
        return self.filter(id__range=(low - _NEAR, high + _NEAR), event_id=event_id).order_by("id").first()

    def parked(self) -> OutboxQuerySet:
        """The entries that were set aside."""
        return self.filter(parked_at__isnull=False)

    def retry(self) -> int:
        """Give parked entries back to the relay. They keep their place: their id."""
        return self.parked().update(parked_at=None, parked_reason="")

    def discard(self) -> int:
        """Delete parked entries, for good."""
        return self.parked().delete()[0]


class OutboxEntry(models.Model):
    """One event that is not yet confirmed by the broker. ``id`` gives its ``sequence``."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.CharField(max_length=36)
    type = models.CharField(max_length=255)
    mandatory = models.BooleanField(default=True)
    headers = models.TextField(default="", blank=True, help_text="JSON object of message headers")
    body = models.TextField(help_text="the encoded event, without its sequence")
    created_at = models.DateTimeField(db_default=Now())
    parked_at = models.DateTimeField(null=True, blank=True)
    parked_reason = models.TextField(default="", db_default="", blank=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        db_table = "eventbridge_outbox"
        verbose_name_plural = "outbox entries"
        ordering = ("id",)
        indexes = (
            models.Index("id", name="eventbridge_outbox_pending", condition=models.Q(parked_at=None)),
            models.Index("id", name="eventbridge_outbox_parked", condition=models.Q(parked_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


TABLE = OutboxEntry._meta.db_table
