"""Outages are not failures: how to tell one, and how to wait for its end."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connections

from eventbridge import telemetry
from eventbridge.errors import TopologyMismatch, Unavailable

T = TypeVar("T")

REMIND_EVERY = 60.0
"""Seconds after which a daemon that still waits says so again."""
_BROKEN_CONNECTIONS = 3
"""So often one step may break the connection before that is its failure, not an outage."""


class Stopped(Exception):
    """The process is stopping: hand back what you hold."""


class Pause:
    """Seconds to wait, growing from the shortest to the longest, with a fifth of jitter."""

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest = shortest
        self._longest = longest
        self._next = shortest

    def __next__(self) -> float:
        seconds, self._next = self._next, min(self._next * 1.5, self._longest)
        return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - jitter, no secret

    @property
    def fresh(self) -> bool:
        """Whether nothing was waited since the last reset."""
        return self._next == self._shortest

    def reset(self) -> None:
        self._next = self._shortest


class Reminder:
    """When to say again that something lasts."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def said(self) -> None:
        self._said = time.monotonic()

    @property
    def due(self) -> bool:
        return time.monotonic() - self._said >= REMIND_EVERY


def forget_broken_connection(alias: str) -> bool:
    """Close this thread's connection if it is broken; return whether it was.

    Django keeps a connection that the server has closed, and every later query fails; it asks only
    at the end of a request. A connection that it closed itself was broken, too.
    """
    connection = connections[alias]
    if connection.connection is None:
        return True
    if connection.is_usable():
        return False
    connection.close()
    return True


def is_reachable(alias: str) -> bool:
    """Whether the database can be connected to."""
    try:
        connections[alias].ensure_connection()
    except (DatabaseError, InterfaceError):
        return False
    return True


def is_busy(error: Exception) -> bool:
    """Whether SQLite gave up waiting for another writer: nobody's failure, and soon over."""
    return isinstance(error, OperationalError) and "database is locked" in str(error)


class Patience:
    """Does steps of work, and waits where the database or the broker is away. Thread-safe."""

    def __init__(self, database: str, stopping: threading.Event, daemon: str) -> None:
        self.database = database
        self.stopping = stopping
        self.daemon = daemon
        self.waiting_for = ""
        self._reminder = Reminder()

    def __call__(self, step: Callable[[], T]) -> T:
        """Do a step; during an outage wait, and do it again, however long that takes.

        Raises what the step raises for any other reason, and Stopped when the process stops.
        """
        pause, broken = Pause(0.2, 5.0), 0
        while True:
            before = connections[self.database].connection
            try:
                done = step()
            except (OperationalError, InterfaceError) as error:
                if not is_busy(error):
                    # atomic() connects anew when its rollback finds the connection broken.
                    another = connections[self.database].connection is not before
                    if not forget_broken_connection(self.database) and not another:
                        raise
                    broken += is_reachable(self.database)
                    if broken >= _BROKEN_CONNECTIONS:
                        raise
                self._wait(f"database {self.database}: {error}".strip(), next(pause))
            except (Unavailable, TopologyMismatch) as error:
                self._wait(str(error), next(pause))
            else:
                self.waiting_for = ""
                return done

    def _wait(self, why: str, seconds: float) -> None:
        if not self.waiting_for or self._reminder.due:
            self._reminder.said()
            telemetry.changed.send_robust(Patience, daemon=self.daemon, state="waiting", why=why)
        self.waiting_for = why
        if self.stopping.wait(seconds):
            raise Stopped
