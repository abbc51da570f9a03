"""LowWater: up to which id an outbox is known to be empty, so that no look steps over what was deleted there.

On PostgreSQL a deleted row stays in the index until vacuum may remove it: not before every transaction
on the server that is older has ended, whatever it does. A look from the very beginning steps over all of
them, and takes a second for half a million.

Ids are taken at INSERT and seen at COMMIT, so an empty place may yet be filled. By whom is known: an
INSERT locks the table before it takes an id, and holds that lock until after its COMMIT can be seen.
"""

from __future__ import annotations

import time

from django.db import connections

from eventbridge.models import sql
from eventbridge.models.outbox import TABLE, OutboxEntry, PendingEntry

_SETTLE_EVERY = 0.5
_SLOW = 5.0
_LOOK_BACK_EVERY = 2.0
_LOOK_BACK_SHARE = 10  # looking back takes a tenth of the time at most
_WRITERS = f"""
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = '{TABLE}'::regclass
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class LowWater:
    """Looks into one database's outbox. Use it from one thread.

    What is given back to the relay after it was parked lies below the mark: every few seconds a look
    begins at the very beginning. On SQLite, where nothing stays of what was deleted, every look does.
    """

    def __init__(self, using: str) -> None:
        self.mark = 0
        """Nothing is pending at or below this id, unless one of ``_slow`` has committed it."""
        self._using = using
        self._settled = 0  # the highest mark there may be
        self._slow: set[str] = set()
        self._seen = 0
        self._candidate = 0  # to be settled, once these have ended
        self._writers: set[str] = set()
        self._since = 0.0
        self._settles = 0.0
        self._looks_back = 0.0

    def look(self, limit: int) -> list[PendingEntry]:
        """The oldest entries that are not parked, in the order of their ids."""
        if time.monotonic() >= self._settles and connections[self._using].vendor == "postgresql":
            self._settle()
        if time.monotonic() >= self._looks_back:
            self.mark = 0
        everywhere = not self.mark
        entries = self._pending(limit)
        if self._slow and self._ended(self._open()):  # asked after the look, which may have missed its commit
            entries = self._pending(limit)
        if everywhere and entries and entries[-1].id < self._seen:
            self._begin_again(entries[-1].id)
        self._seen = max(self._seen, entries[-1].id if entries else 0)
        self.mark = min(entries[0].id - 1 if entries else self._seen, self._settled)
        return entries

    def _settle(self) -> None:
        """Raise what may be the mark to an id that can only be filled from below by those who are slow and known."""
        self._settles = time.monotonic() + _SETTLE_EVERY
        writers = self._open()
        self._ended(writers)
        self._writers &= writers
        if not self._writers or time.monotonic() - self._since > _SLOW:
            self._settled, self._slow = self._candidate, self._writers
            self._candidate, self._writers, self._since = self._seen, writers, time.monotonic()
        if not writers:
            self._settled = self._candidate

    def _begin_again(self, last: int) -> None:
        """All that is pending is older than what was seen: retried, or the ids went back (a restored database)."""
        self._seen, self._settled = last, min(self._settled, last)
        self._candidate = min(self._candidate, last)

    def _ended(self, writers: set[str]) -> bool:
        """Whether one of the slow is no longer there: what it committed may lie below the mark."""
        if self._slow <= writers:
            return False
        self._settled, self._slow, self.mark = 0, set(), 0
        return True

    def _open(self) -> set[str]:
        """The transactions that have written to the outbox and have not ended."""
        return {row[0] for row in sql.rows(self._using, _WRITERS)}

    def _pending(self, limit: int) -> list[PendingEntry]:
        began = time.monotonic()
        entries = OutboxEntry.objects.using(self._using).pending(limit, above=self.mark)
        if not self.mark:
            ended = time.monotonic()
            self._looks_back = ended + max(_LOOK_BACK_EVERY, (ended - began) * _LOOK_BACK_SHARE)
        return entries
