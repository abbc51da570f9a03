"""Outages are not failures: how to tell one, and how to wait for its end."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError, connections

from eventbridge import telemetry
from eventbridge.errors import TopologyMismatch, Unavailable

T = TypeVar("T")

REMIND_EVERY = 60.0
"""Seconds after which a daemon that still waits says so again."""
_BROKEN_CONNECTIONS = 3
"""So often one step may break the connection before that is its failure, not an outage."""
_OF_THE_BROKER = (Unavailable, TopologyMismatch)


class Stopped(Exception):
    """The process is stopping: hand back what you hold."""


class Hindered(Exception):
    """A statement of our own failed: no handler's fault, whatever the database says."""


@contextmanager
def our_own() -> Iterator[None]:
    """Statements of our own, which only the database's state can fail: a full disk, a lock, a standby.

    Raises Hindered; values that the database does not take are our mistake, and raised as they are.
    """
    try:
        yield
    except (DataError, IntegrityError):
        raise
    except (DatabaseError, InterfaceError) as error:
        raise Hindered(str(error)) from error


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
        self._waits: dict[int, str] = {}
        self._reminder = Reminder()

    def __call__(self, step: Callable[[], T], *, asks_broker: bool = False) -> T:
        """Do a step; during an outage wait, and do it again, however long that takes.

        Raises what the step raises for any other reason, and Stopped when the process stops. The
        broker's outages count only where the step ``asks_broker``: elsewhere they are a handler's.
        """
        try:
            return self._again_and_again(step, _OF_THE_BROKER if asks_broker else ())
        finally:
            self._went_on()

    def _again_and_again(self, step: Callable[[], T], outages: tuple[type[Exception], ...]) -> T:
        pause, broken = Pause(0.2, 5.0), 0
        while True:
            before = None
            try:
                with our_own():  # what has no connection yet would look as if the step had lost it
                    connections[self.database].ensure_connection()
                before = connections[self.database].connection
                return step()
            except Hindered as error:
                forget_broken_connection(self.database)
                self._wait(error, f"database {self.database}: {error}".strip(), next(pause))
            except outages as error:
                self._wait(error, str(error), next(pause))
            except (OperationalError, InterfaceError) as error:
                if not is_busy(error):
                    if not self._broke(before):
                        raise
                    broken += is_reachable(self.database)
                    if broken >= _BROKEN_CONNECTIONS:
                        raise
                self._wait(error, f"database {self.database}: {error}".strip(), next(pause))

    def _broke(self, before: object) -> bool:
        """Whether the connection is another one, or none, by now: atomic() connects anew when it cannot roll back."""
        another = connections[self.database].connection is not before
        return forget_broken_connection(self.database) or another

    def on_our_own(self, step: Callable[[], T]) -> T:
        """Do a step that runs nobody else's code: whatever the database objects to, wait, do it again."""
        with_hindrance = our_own()(step)
        return self(with_hindrance)

    @property
    def waiting_for(self) -> str:
        """What a thread waits for, if one does."""
        return next(iter(self._waits.copy().values()), "")

    def _wait(self, error: Exception, why: str, seconds: float) -> None:
        telemetry.hindered.send_robust(Patience, daemon=self.daemon, error=error)
        if not self._waits or self._reminder.due:
            self._reminder.said()
            telemetry.changed.send_robust(Patience, daemon=self.daemon, state="waiting", why=why)
        self._waits[threading.get_ident()] = why
        if self.stopping.wait(seconds):
            raise Stopped

    def _went_on(self) -> None:
        """Say so when the last of those that waited is through."""
        if self._waits.pop(threading.get_ident(), None) and not self._waits and not self.stopping.is_set():
            telemetry.changed.send_robust(Patience, daemon=self.daemon, state="ready", why="")
