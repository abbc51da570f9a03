"""InboxEntry: what a consumer has handled, so that it handles nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from operator import or_

from django.db import models

from eventbridge.models import sql

_MOST_PAIRS = 500  # of consumers and sources; where there are more, all rows are read

Key = tuple[str, str]
"""``(source, id)`` of an event: what CloudEvents says receivers deduplicate on."""


class InboxQuerySet(models.QuerySet["InboxEntry"]):
    def claim(self, consumer: str, keys: Sequence[Key]) -> set[Key]:
        """Mark these events handled; return those that were not. No key may occur twice.

        Part of the open transaction, together with the handler's work. A transaction elsewhere
        that has claimed one of them makes this one wait for its end, then skip it.
        """
        values = ", ".join([f"(%s, %s, %s, 0, {sql.now(self.db)})"] * len(keys))
        # In one order everywhere, so that two transactions cannot wait for each other.
        parameters = [value for source, event_id in sorted(keys) for value in (consumer, source, event_id)]
        statement = (
            f"INSERT INTO {TABLE} (consumer, source, event_id, attempts, handled_at) VALUES {values} "
            "ON CONFLICT (consumer, source, event_id) DO UPDATE SET handled_at = excluded.handled_at "
            f"WHERE {TABLE}.handled_at IS NULL RETURNING source, event_id"
        )
        return {(row[0], row[1]) for row in sql.rows(self.db, statement, parameters)}

    def marks(self, consumer: str, key: Key) -> int:
        """How many attempts at a suspect have begun."""
        return next(iter(self._unhandled(consumer, key).values_list("attempts", flat=True)), 0)

    def mark(self, consumer: str, key: Key, number: int) -> bool:
        """Write down, before it runs, which attempt at a suspect this is. False: it has been handled.

        Commit this before the handler runs. To say the same again, where no answer came, changes nothing.
        """
        statement = (
            f"INSERT INTO {TABLE} (consumer, source, event_id, attempts) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (consumer, source, event_id) DO UPDATE SET attempts = excluded.attempts "
            f"WHERE {TABLE}.handled_at IS NULL RETURNING attempts"
        )
        return bool(sql.rows(self.db, statement, [consumer, *key, number]))

    def unmark(self, consumer: str, key: Key, left: int = 0) -> None:
        """The attempts of a suspect are over, and counted elsewhere; or its last one was none, and ``left`` remain."""
        unhandled = self._unhandled(consumer, key)
        if left:
            unhandled.update(attempts=left)
        else:
            unhandled.delete()

    def has(self, consumer: str, key: Key) -> bool:
        """Whether this event has been handled."""
        source, event_id = key
        return self.filter(consumer=consumer, source=source, event_id=event_id, handled_at__isnull=False).exists()

    def of_event(self, event_id: str) -> InboxQuerySet:
        """What each consumer made of the events with that id, by the unique index alone.

        It begins with consumer and source, so each pair of these that there is gets a look of its own.
        """
        pairs: list[Key] = []
        pair = self._pair_after("", "")
        while pair and len(pairs) < _MOST_PAIRS:
            pairs.append(pair)
            pair = self._pair_after(*pair)
        if pair:
            return self.filter(event_id=event_id)
        looks = (models.Q(consumer=consumer, source=source, event_id=event_id) for consumer, source in pairs)
        return self.filter(reduce(or_, looks)) if pairs else self.none()

    def _pair_after(self, consumer: str, source: str) -> Key | None:
        """The next consumer and source in the order of the index."""
        after = f"SELECT consumer, source FROM {TABLE} WHERE (consumer, source) > (%s, %s)"
        found = sql.rows(self.db, f"{after} ORDER BY consumer, source LIMIT 1", [consumer, source])
        return (found[0][0], found[0][1]) if found else None

    def prune(self, older: timedelta, chunk: int = 5_000) -> int:
        """Forget what was handled longer ago than that among the oldest rows; 0: all done.

        Rows are as old as their ids, so that no index on the time is needed.
        """
        oldest = f"SELECT id, handled_at FROM {TABLE} WHERE handled_at IS NOT NULL ORDER BY id LIMIT %s"
        statement = (
            f"DELETE FROM {TABLE} WHERE id IN "
            f"(SELECT id FROM ({oldest}) AS oldest WHERE handled_at < {sql.later(self.db)})"
        )
        return sql.changed(self.db, statement, [chunk, -older.total_seconds()])

    def about_how_many(self) -> int:
        """At most so many rows: the ids from the oldest to the newest. To count them would read them all."""
        ids = self.values_list("id", flat=True)
        oldest, newest = ids.order_by("id").first(), ids.order_by("-id").first()
        return 0 if oldest is None or newest is None else newest - oldest + 1

    def _unhandled(self, consumer: str, key: Key) -> InboxQuerySet:
        source, event_id = key
        return self.filter(consumer=consumer, source=source, event_id=event_id, handled_at=None)


class InboxEntry(models.Model):
    """One event and one consumer. ``handled_at`` is empty while a suspect is being tried."""

    id = models.BigAutoField(primary_key=True)
    consumer = models.CharField(max_length=200)
    source = models.CharField(max_length=255)
    event_id = models.CharField(max_length=255)
    attempts = models.PositiveIntegerField(default=0, help_text="attempts made as a suspect")
    handled_at = models.DateTimeField(null=True, blank=True)

    objects = InboxQuerySet.as_manager()

    class Meta:
        db_table = "eventbridge_inbox"
        verbose_name_plural = "inbox entries"
        constraints = (
            models.UniqueConstraint(fields=("consumer", "source", "event_id"), name="eventbridge_inbox_once"),
        )

    def __str__(self) -> str:
        return f"{self.consumer} {self.event_id}"


TABLE = InboxEntry._meta.db_table
