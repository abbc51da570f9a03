"""Failpoints: where a process under test dies, told by its environment. Nothing of it is in eventbridge.

FAILPOINT names the place, FAILPOINT_HIT the time of passing it (1). With FAILPOINT_SLEEPS the thread that comes there
sleeps until that file exists, and goes on.
"""

import faulthandler
import functools
import importlib
import os
import resource
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.services.waiting import wait_for

_BREATH = 0.3
"""Seconds that a process lives on at its failpoint: what its other threads were told too early is done by then."""


def _always(arguments: tuple[Any, ...], result: Any) -> bool:
    return True


@dataclass(frozen=True)
class Place:
    """A method, and whether to die before it, after it, or while the database carries out what it asks for.

    ``counts(arguments, result)`` says which calls count; ``within`` names a method that must be under way in the
    same thread.
    """

    method: str
    moment: Literal["before", "during", "after"]
    counts: Callable[[tuple[Any, ...], Any], bool] = _always
    within: str = ""


def _has_result(arguments: tuple[Any, ...], result: Any) -> bool:
    return bool(result)


def _has_argument(arguments: tuple[Any, ...], result: Any) -> bool:
    return bool(arguments[1])


def _is_charged(arguments: tuple[Any, ...], result: Any) -> bool:
    return bool(arguments[4:])  # put_back(self, ids, lease, seconds, charge)


def _is_answered(arguments: tuple[Any, ...], result: Any) -> bool:
    """Wait until the broker's answer lies in the socket, unread."""
    poll = select.poll()
    poll.register(arguments[0]._connection.sock, select.POLLIN)
    return bool(poll.poll(10_000))


_OUTBOX = "eventbridge.models.outbox:OutboxQuerySet"
_LEASE = "eventbridge.models.lease:LeaseQuerySet"
_BROKER = "eventbridge.models.broker:MessageQuerySet"
_WORKER = "eventbridge.worker:Worker"
_COMMIT = "django.db.backends.base.base:BaseDatabaseWrapper._commit"
_HANDLING = f"{_WORKER}._handle_once"

# By name; where the transports differ, each has a place of its own.
FAILPOINTS: dict[str, list[Place]] = {
    "capture.recorded": [Place(f"{_OUTBOX}.record", "after")],
    "capture.committing": [Place(_COMMIT, "during")],
    "capture.committed": [Place(_COMMIT, "after")],
    "relay.leads": [Place(f"{_LEASE}.take", "after", _has_result)],
    "relay.read": [Place(f"{_OUTBOX}.pending", "after", _has_result)],
    "relay.unconfirmed": [
        Place("eventbridge.transports.rabbitmq.confirms:ConfirmChannel.read", "before", _is_answered),
        Place(f"{_BROKER}.put", "after"),
    ],
    "relay.confirmed": [Place(f"{_OUTBOX}.done", "before", _has_argument)],
    "relay.deleting": [Place(f"{_OUTBOX}.done", "during", _has_argument)],
    "relay.deleted": [Place(f"{_OUTBOX}.done", "after", _has_argument)],
    "relay.parking": [Place(f"{_OUTBOX}.park", "before")],
    "relay.releasing": [Place(f"{_LEASE}.release", "before")],
    "consume.marked": [Place("eventbridge.models.inbox:InboxQuerySet.mark", "after")],
    "consume.handled": [Place(f"{_WORKER}._run", "after")],
    "consume.committing": [Place(_COMMIT, "during", within=_HANDLING)],
    "consume.committed": [Place(_COMMIT, "after", within=_HANDLING)],
    "consume.recorded": [Place("eventbridge.models.inbox:InboxQuerySet.claim", "after")],
    "consume.retried": [
        Place("eventbridge.transports.rabbitmq.delivery:RabbitDelivery._store", "after"),
        Place(f"{_BROKER}.put_back", "after", _is_charged),
    ],
    "consume.buried": [Place("eventbridge.models.dead_letter:DeadLetterQuerySet.bury", "after")],
    "consume.stopping": [Place("eventbridge.crew:Crew._hand_back", "before")],
    "replay.handled": [Place("eventbridge.replays:Replays.forget", "before")],
}


def arm() -> None:
    """Plant what the environment asks for. In the main thread, when all apps are ready."""
    faulthandler.register(signal.SIGUSR1)  # a process that is stuck tells where each of its threads is
    name = os.environ.get("FAILPOINT")
    if name:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which Python ignores: see _die_within
        fuse = _Fuse(int(os.environ.get("FAILPOINT_HIT", "1")))
        for place in FAILPOINTS[name]:
            _plant(place, fuse)


class _Fuse:
    """Counts the passings of a failpoint, in all threads."""

    def __init__(self, hits: int) -> None:
        self._left = hits
        self._lock = threading.Lock()

    def burnt(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left == 0


def _plant(place: Place, fuse: _Fuse) -> None:
    owner, name = _find(place.method)
    original = getattr(owner, name)
    under_way = _watch(place.within)

    def reached(arguments: tuple[Any, ...], result: Any = None) -> bool:
        return under_way() and place.counts(arguments, result) and fuse.burnt()

    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if place.moment == "before" and reached(arguments):
            _die()
        if place.moment == "during" and reached(arguments):
            _die_within(arguments[0])
        result = original(*arguments, **named)
        if place.moment == "after" and reached(arguments, result):
            _die()
        return result

    setattr(owner, name, wrapped)


def _watch(method: str) -> Callable[[], bool]:
    """Whether this thread is in that method just now; always, if none is named."""
    if not method:
        return lambda: True
    owner, name = _find(method)
    original, here = getattr(owner, name), threading.local()

    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        here.depth = getattr(here, "depth", 0) + 1
        try:
            return original(*arguments, **named)
        finally:
            here.depth -= 1

    setattr(owner, name, wrapped)
    return lambda: getattr(here, "depth", 0) > 0


def _find(method: str) -> tuple[Any, str]:
    module, _, path = method.partition(":")
    owner, _, name = path.partition(".")
    return getattr(importlib.import_module(module), owner), name


def _die() -> None:
    alarm = os.environ.get("FAILPOINT_SLEEPS")
    if alarm:
        print("asleep", flush=True)  # noqa: T201 - what the test waits for
        wait_for(Path(alarm).exists, 60)
        return
    time.sleep(_BREATH)
    os.kill(os.getpid(), signal.SIGKILL)


def _die_within(asker: Any) -> None:
    """Make the database's next step the last thing that this process does.

    SQLite: no file may grow any more, so that the write to its log ends the process. PostgreSQL: the statement is
    sent, its answer is not read.
    """
    connection = asker if isinstance(asker, BaseDatabaseWrapper) else connections[asker.db]
    if connection.vendor == "sqlite":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    else:
        connection.connection.wait = _send_and_die


def _send_and_die(generator: Any, *_: Any, **__: Any) -> None:
    """In place of psycopg's Connection.wait: it yields first when all is sent and the answer is to be read."""
    next(generator)
    os.kill(os.getpid(), signal.SIGKILL)
