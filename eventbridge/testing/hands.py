"""Hands: the real worker of one consumer, in a test. It notes how each delivery was settled.

A test's transaction must outlive what its handlers do, and nobody waits for the end of an outage.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, TypeVar

import msgspec
from django.db import connections
from django.test.testcases import DatabaseOperationForbidden  # type: ignore[attr-defined]

from eventbridge.consumer import Consumer
from eventbridge.event import Event
from eventbridge.models import DeadLetter
from eventbridge.outage import Hindered, Patience
from eventbridge.testing.commits import as_in_autocommit, commits
from eventbridge.transports import Delivery, Message
from eventbridge.wire import decode
from eventbridge.worker import Attempt, Worker

T = TypeVar("T")

_THE_TESTS_OWN = (DatabaseOperationForbidden, Hindered, KeyboardInterrupt)
"""What fails the test, whoever ran into it: a database it may not use, or cannot; Ctrl-C."""


State = Literal["handled", "duplicate", "retried", "dead"]


@dataclass(frozen=True, slots=True)
class Settled:
    """How one attempt at one delivery ended.

    ``state`` is ``"handled"``, ``"duplicate"`` (handled before, and skipped), ``"retried"`` (in
    ``after`` seconds, it would be) or ``"dead"`` (a row of DeadLetter). ``error`` is what a failed
    attempt raised; ``attempt`` counts from 1.
    """

    consumer: str
    event: Event[Any]
    state: State
    _: KW_ONLY
    attempt: int = 1
    after: float | None = None
    error: BaseException | None = None

    def __str__(self) -> str:
        why = f": {self.error!r}" if self.error else ""
        return f"{self.consumer} {self.state} {self.event.type} (attempt {self.attempt}){why}"


@dataclass(eq=False)
class _InMemory:
    """A Delivery."""

    message: Message
    attempt: int
    put_back: Callable[[float], None]
    redelivered: bool = field(default=False, init=False)

    def ack(self) -> None:
        """Nothing to forget."""

    def retry(self, after: float) -> None:
        self.put_back(after)

    def release(self) -> None:
        """Hands that never stop release nothing."""


class Hands(Worker):
    """``repeat``: what is to be retried is handled again, at once. Use it in the test's thread."""

    def __init__(self, consumer: Consumer, settled: list[Settled], *, repeat: bool) -> None:
        super().__init__(consumer, threading.Event())
        self.patiently = _Impatience(consumer.database, self.stopping, f"consumer {consumer.name}")
        self._settled = settled
        self._repeat = repeat
        self._queue: deque[Delivery] = deque()
        self._failing: tuple[Attempt, BaseException]

    def take(self, message: Message, attempt: int = 1) -> None:
        """Put a message at the end of the queue."""
        self._queue.append(_InMemory(message, attempt, self._put_back))

    def work(self) -> None:
        """Handle what is in the queue, up to the consumer's batch at a time."""
        while self._queue:
            size = min(self.consumer.batch, len(self._queue))
            with commits():
                self.handle([self._queue.popleft() for _ in range(size)])

    # --- how a test differs ------------------------------------------------------------------

    def _run(self, attempt: Attempt) -> None:
        if self.consumer.atomic or not self._in_the_tests_transaction:
            super()._run(attempt)
            return
        with as_in_autocommit(self.consumer.database):
            super()._run(attempt)

    def _must_autocommit(self) -> None:
        if not self._in_the_tests_transaction:
            super()._must_autocommit()

    @property
    def _in_the_tests_transaction(self) -> bool:
        return connections[self.consumer.database].in_atomic_block

    # --- outcomes ----------------------------------------------------------------------------

    def _succeeded(self, attempt: Attempt, *, fresh: bool, batch: int) -> None:
        super()._succeeded(attempt, fresh=fresh, batch=batch)
        self._note(attempt.event, "handled" if fresh else "duplicate", attempt.number)

    def _failed(self, attempt: Attempt, error: BaseException) -> None:
        if isinstance(error, _THE_TESTS_OWN):
            raise error
        self._failing = attempt, error
        super()._failed(attempt, error)

    def _put_back(self, after: float) -> None:
        """A retry: note it, and make it the queue's last."""
        attempt, error = self._failing
        self._note(attempt.event, "retried", attempt.number, error, after)
        if self._repeat:
            self.take(attempt.delivery.message, attempt.number + 1)

    def _again_in_place(self, attempt: Attempt, after: float) -> None:
        """An ordered consumer's retry comes next, and does not wait."""
        self._note(attempt.event, "retried", attempt.number, self._failing[1], after)
        if self._repeat:
            super()._again_in_place(attempt, 0)

    def _bury(
        self,
        delivery: Delivery,
        event: Event[Any] | None,
        reason: DeadLetter.Reason,
        error: BaseException,
        attempts: int | None = None,
    ) -> None:
        super()._bury(delivery, event, reason, error, attempts)
        if event is None or isinstance(event.data, msgspec.Raw):
            event = decode(delivery.message).read_as(None)
        self._note(event, "dead", attempts or delivery.attempt, error)

    def _note(
        self,
        event: Event[Any],
        state: State,
        attempt: int,
        error: BaseException | None = None,
        after: float | None = None,
    ) -> None:
        settled = Settled(self.consumer.name, event, state, attempt=attempt, after=after, error=error)
        self._settled.append(settled)


class _Impatience(Patience):
    """A test waits for nothing: what is away fails it."""

    def __call__(self, step: Callable[[], T], *, asks_broker: bool = False) -> T:
        return step()
