"""Doorbell: what is committed to an outbox wakes the relay, if it sleeps. Nobody rings at one that is awake.

On PostgreSQL a relay that sleeps holds an advisory lock. Whoever writes asks, in the same statement, for
that lock, shared and until the end of the transaction, and notifies only where it is not to be had. The
lock also says when not to sleep: a writer that has it has not been asked to ring, and holds it until
what it wrote can be seen. So no event is missed, and writers that keep a relay busy never pay for
NOTIFY, which makes commits wait for one another (src/backend/commands/async.c, PreCommit_Notify).

On SQLite the number of the file's version tells that somebody has committed something; it costs no query.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connections

from eventbridge.models import sql

_CHANNEL = "eventbridge_outbox"
_LOCK = 7_305_805_297_046_483_571  # any number that nobody else takes
_RING = f"CASE WHEN NOT pg_try_advisory_xact_lock_shared({_LOCK}) THEN pg_notify('{_CHANNEL}', '') END"

LONGEST_SLEEP = 0.5
"""Seconds: looking stays the truth, and finds what a lost connection kept from ringing."""
_HEED = 0.1
_LOOK = 0.002


def ring(connection: Any) -> str:
    """SQL for whoever writes: wake the relay at COMMIT, if it sleeps. Empty where a commit is a ring by itself.

    And where this atomic block has asked before: it has either rung, or keeps the relay awake until it ends.
    """
    if connection.vendor != "postgresql":
        return ""
    # Django makes this list anew when such a block has ended, or has gone back to a savepoint.
    block = connection.run_on_commit if connection.in_atomic_block and connection.commit_on_exit else None
    asked, connection.eventbridge_asked = getattr(connection, "eventbridge_asked", None), block
    return "" if block is not None and block is asked else _RING


class FileDoorbell:
    """For SQLite: tells that another connection has committed something. Use it from one thread."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._seen: tuple[object, object] = (None, None)

    def rang(self) -> bool:
        """Whether something may have changed since this was last asked. Where it cannot be asked: yes, look why."""
        wrapper = connections[self._using]
        try:
            with wrapper.wrap_database_errors:
                wrapper.ensure_connection()
                version = wrapper.connection.execute("PRAGMA data_version").fetchone()
        except DatabaseError:
            return True
        before, self._seen = self._seen, (wrapper.connection, version)
        return before != self._seen

    def sleep(self, seconds: float, stopping: threading.Event, anything: Callable[[], bool]) -> None:
        """Wait until somebody rings, or the process stops; LONGEST_SLEEP at most."""
        until = time.monotonic() + LONGEST_SLEEP
        if self.rang() and anything():
            return
        while time.monotonic() < until and not stopping.wait(_LOOK):
            if self.rang():
                return

    def awake(self) -> None:
        """Nothing: nobody has to ring."""

    def leave(self) -> None:
        """There is nothing to leave."""


class NotifyDoorbell:
    """For PostgreSQL, on the connection of the thread that sleeps. Use it from one thread."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._asked: Any = None
        self._hears = False
        self._locked = False

    def sleep(self, seconds: float, stopping: threading.Event, anything: Callable[[], bool]) -> None:
        """Wait until somebody rings, or the process stops; LONGEST_SLEEP at most, or ``seconds`` where nobody can ring.

        ``anything``: is there something to do? Asked when whoever writes from now on will ring, which they
        do until this is ``awake``.
        """
        if not (self._can_hear() and self._may_sleep()):
            stopping.wait(seconds)
            return
        self._heard(0)  # of what can be seen by now
        until = time.monotonic() + LONGEST_SLEEP
        if not anything():
            while time.monotonic() < until and not stopping.is_set() and not self._heard(_HEED):
                pass

    def awake(self) -> None:
        """Nobody has to ring from now on."""
        if self._locked:
            self._locked = False
            sql.rows(self._using, "SELECT pg_advisory_unlock_all()")  # all: also what an earlier failure left

    def leave(self) -> None:
        """Give the connection back as it was."""
        if self._hears and self._asked is connections[self._using].connection:
            sql.run(self._using, f"UNLISTEN {_CHANNEL}").close()
            self.awake()
        self._asked, self._hears, self._locked = None, False, False

    def _can_hear(self) -> bool:
        """Not through a pooler that lends each transaction another server's session."""
        connections[self._using].ensure_connection()
        connection = connections[self._using].connection
        if self._asked is not connection:
            [[pid]] = sql.rows(self._using, "SELECT pg_backend_pid()")
            self._asked, self._locked = connection, False
            self._hears = pid == connection.info.backend_pid
            if self._hears:
                sql.run(self._using, f"LISTEN {_CHANNEL}").close()
        return self._hears

    def _may_sleep(self) -> bool:
        """Whether everybody who has written so far is through: what they wrote can be seen by now."""
        if not self._locked:
            [[self._locked]] = sql.rows(self._using, f"SELECT pg_try_advisory_lock({_LOCK})")
        return self._locked

    def _heard(self, timeout: float) -> bool:
        """Whether somebody has rung by then; without a timeout: all who have, at once."""
        connection = connections[self._using]
        with connection.wrap_database_errors:
            return bool(list(connection.connection.notifies(timeout=timeout, stop_after=1 if timeout else None)))


def doorbell(using: str) -> FileDoorbell | NotifyDoorbell:
    """The doorbell of that database's outbox."""
    return NotifyDoorbell(using) if connections[using].vendor == "postgresql" else FileDoorbell(using)
