"""The trail: what happens to each event, written down for people to look at. Off, unless ``TRAIL`` is on.

Receivers of our own signals put steps into a buffer; a thread of its own writes them, in batches, on a
connection of its own: outside of everybody's transaction, and after the one that recorded the event. What
fails here costs steps, never an event.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zlib import crc32

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections, router, transaction

from eventbridge import telemetry
from eventbridge.conf import settings
from eventbridge.models.trail import NewStep, TrailStep
from eventbridge.outage import Pause, Reminder, forget_broken_connection
from eventbridge.wording import one_line

logger = logging.getLogger("eventbridge")

What = TrailStep.What
_MOST = 50_000  # steps that wait in memory while the database is away; the oldest are given up
_BATCH = 1_000
_GATHER = 0.1
_IDLE = 10.0
_LAST_WORDS = 2.0
_BRIEF = 500


class Trail:
    """A buffer of steps, and the thread that writes them. ``add`` from any thread; it never waits."""

    def __init__(self) -> None:
        self._steps: deque[NewStep] = deque(maxlen=_MOST)
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._lost = 0
        self._pause = Pause(0.5, 10.0)
        self._reminder: Reminder | None = None

    def add(self, steps: Sequence[NewStep]) -> None:
        """Have these written soon."""
        self._lost += max(len(self._steps) + len(steps) - _MOST, 0)
        self._steps.extend(steps)
        self._woken.set()
        if self._thread is None:
            self._start()

    def close(self) -> None:
        """Write what is there, if that takes no longer than two seconds. ``add`` begins anew."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._closing.set()
            self._woken.set()
            thread.join(_LAST_WORDS)
            self._closing.clear()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="event trail", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            if not self._woken.wait(_IDLE):
                connections.close_all()  # quiet: hold no connection
                continue
            self._closing.wait(_GATHER)
            self._woken.clear()
            while self._steps and self._write():
                pass
        connections.close_all()

    def _write(self) -> bool:
        """Write a batch; False when it was the last word, and could not be written."""
        batch = [self._steps.popleft() for _ in range(min(_BATCH, len(self._steps)))]
        using = DEFAULT_DB_ALIAS
        try:
            using = router.db_for_write(TrailStep)
            TrailStep.objects.using(using).write(batch)
        except (OperationalError, InterfaceError) as error:
            self._steps.extendleft(reversed(batch[: _MOST - len(self._steps)]))
            return self._wait(using, error)
        except Exception:
            logger.exception("%d steps of the event trail are lost", len(batch))
        else:
            self._written(using, len(batch))
        return True

    def _wait(self, using: str, error: Exception) -> bool:
        forget_broken_connection(using)
        if self._reminder is None or self._reminder.due:
            self._reminder = Reminder()
            logger.warning("the event trail waits for database %s: %s", using, one_line(error))
        return not self._closing.wait(next(self._pause))

    def _written(self, using: str, number: int) -> None:
        """Forget twice as many old steps as there are new ones: the table stays as large as its retention."""
        self._pause.reset()
        self._reminder = None
        if self._lost:
            logger.warning("%d steps of the event trail are lost: the database took them too slowly", self._lost)
            self._lost = 0
        try:
            TrailStep.objects.using(using).prune(settings.TRAIL_RETENTION, 2 * number)
        except Exception:
            logger.warning("old steps of the event trail could not be deleted", exc_info=True)


trail = Trail()
"""This process's."""


def _begin_anew() -> None:
    """In a forked child: the parent's thread is not there, and the parent's steps are the parent's."""
    trail.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_begin_anew)
atexit.register(trail.close)


# --- receivers -----------------------------------------------------------------------------------


def _on_emitted(sender: Any, events: Iterable[Any], using: str, **kwargs: Any) -> None:
    """Only if their transaction commits, and after that."""
    steps = [_of_event(event, What.RECORDED) for event in events if _is_wanted(event.id)]
    if steps:
        transaction.on_commit(partial(trail.add, steps), using=using, robust=True)


def _on_relayed(sender: Any, entries: Iterable[Any], **kwargs: Any) -> None:
    now = _now()
    trail.add(
        [
            NewStep(entry.event_id, entry.type, "", "", What.RELAYED, now)
            for entry in entries
            if _is_wanted(entry.event_id)
        ]
    )


def _on_parked(sender: Any, entry: Any, reason: str, **kwargs: Any) -> None:
    _add(NewStep(entry.event_id, entry.type, "", "", What.PARKED, _now(), note=one_line(reason)[:_BRIEF]))


def _on_handled(sender: Any, consumer: Any, event: Any, attempt: int, seconds: float, **kwargs: Any) -> None:
    _add(_of_event(event, What.HANDLED, consumer=consumer.name, attempt=attempt, milliseconds=seconds * 1000))


def _on_duplicate(sender: Any, consumer: Any, event: Any, **kwargs: Any) -> None:
    _add(_of_event(event, What.DUPLICATE, consumer=consumer.name))


def _on_retried(
    sender: Any, consumer: Any, event: Any, attempt: int, after: float, error: BaseException, **kwargs: Any
) -> None:
    note = f"{telemetry.brief(error)}; next attempt in {after:g} s"
    _add(_of_event(event, What.RETRIED, consumer=consumer.name, attempt=attempt, note=one_line(note)))


def _on_died(sender: Any, letter: Any, **kwargs: Any) -> None:
    note = f"{letter.exception.rpartition('.')[2]}: {letter.error}"[:_BRIEF]
    _add(_of_letter(letter, What.DEAD, attempt=letter.attempts, note=one_line(note)))


def _on_replayed(sender: Any, letter: Any, **kwargs: Any) -> None:
    _add(_of_letter(letter, What.REPLAYED))


def _add(step: NewStep) -> None:
    if _is_wanted(step.event_id):
        trail.add([step])


def _is_wanted(event_id: str) -> bool:
    """A sample is of whole journeys: every process makes the same choice."""
    return settings.TRAIL_SAMPLE >= 1 or crc32(event_id.encode("utf-8", "replace")) < settings.TRAIL_SAMPLE * 2**32


def _of_event(event: Any, what: str, **more: Any) -> NewStep:
    event_id, name, subject, cause = map(_text, (event.id, event.type, event.subject, event.causationid))
    return NewStep(event_id, name, subject, cause, what, _now(), **more)


def _of_letter(letter: Any, what: str, **more: Any) -> NewStep:
    return NewStep(letter.event_id, letter.type, letter.subject, "", what, _now(), letter.consumer, **more)


def _text(value: str | None) -> str:
    """What any database holds as text: another service may have sent anything."""
    value = value or ""
    return (value if value.isprintable() else one_line(value))[:255]


def _now() -> datetime:
    return datetime.now(UTC)


_RECEIVERS = (
    (telemetry.emitted, _on_emitted),
    (telemetry.relayed, _on_relayed),
    (telemetry.parked, _on_parked),
    (telemetry.handled, _on_handled),
    (telemetry.duplicate, _on_duplicate),
    (telemetry.retried, _on_retried),
    (telemetry.died, _on_died),
    (telemetry.replayed, _on_replayed),
)


def connect() -> None:
    """Write the trail in this process, from now on."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver)


def disconnect() -> None:
    """Write it no more."""
    for signal, receiver in _RECEIVERS:
        signal.disconnect(receiver)
