"""Crew: the threads of one consumer in one process.

One thread for each subscriber owns its link and its heartbeats, and puts what arrives on a queue;
as many as the consumer's concurrency take from it, and let the worker handle.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from queue import Empty, Queue

from django.db import connections, reset_queries

from eventbridge import telemetry
from eventbridge.consumer import Consumer
from eventbridge.errors import TopologyMismatch, Unavailable
from eventbridge.outage import Pause, Reminder
from eventbridge.quarantine import Quarantine
from eventbridge.topology import LOST
from eventbridge.transports import Delivery, Publisher, Subscriber
from eventbridge.worker import Worker

_WAIT = 0.2
_WHEN_PAUSED = 30.0


class Crew:
    """Drains one consumer's queue until told to stop. A part of a daemon."""

    role = "consumer"

    def __init__(
        self,
        consumer: Consumer,
        sources: list[Callable[[], Subscriber]],
        stopping: threading.Event,
        deadline: Callable[[], float],
        publisher: Publisher,
        quarantine: Quarantine | None = None,
    ) -> None:
        self.consumer = consumer
        self.database = consumer.database
        self.name = consumer.name
        self.stopping = stopping
        self.deadline = deadline
        self.publisher = publisher
        self.held = ""
        self._worker = Worker(consumer, stopping, quarantine)
        # Not SimpleQueue: where another thread takes what woke it, its get(timeout) waits for ever
        # once the time is over (CPython 3.11 and 3.12, Modules/_queuemodule.c).
        self._arrived: Queue[tuple[int, Delivery]] = Queue()
        self._reminder = Reminder()
        self._away: dict[int, str] = dict.fromkeys(range(len(sources)), "starting")
        self._turned = dict.fromkeys(range(len(sources)), time.monotonic())
        self._pumps = [self._thread(f"pump {n}", self._pump, n, source) for n, source in enumerate(sources)]
        self._hands = [self._thread(f"hand {n}", self._work) for n in range(consumer.concurrency)]

    def start(self) -> None:
        for thread in (*self._pumps, *self._hands):
            thread.start()

    def join(self, deadline: float) -> bool:
        """Wait until everything is settled, or until ``deadline`` (monotonic); whether it was."""
        for thread in (*self._hands, *self._pumps):
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in (*self._hands, *self._pumps)):
            return False
        self.publisher.close(1.0)
        return True

    @property
    def state(self) -> str:
        reasons = set(self._away.values())
        if "starting" in reasons:
            return "starting"
        if self.held and reasons == {self.held}:
            return "paused"
        reasons.discard(self.held)  # which the others will follow in a moment
        return "waiting" if any(reasons) or self._worker.patiently.waiting_for else "ready"

    @property
    def why(self) -> str:
        """What it waits for, if it does."""
        return next(filter(None, [*self._away.values(), self._worker.patiently.waiting_for]), "")

    @property
    def turned(self) -> float:
        """When the slowest pump last turned, or is to turn next where it rests (monotonic seconds)."""
        return min(self._turned.values())

    @property
    def figures(self) -> dict[str, object]:
        """What a heartbeat tells. Ask for it regularly: what is stalled is known by that."""
        running, depth = len(self._worker.running), self.publisher.depth(self.name)
        return {
            **self._worker.tally.counted,
            "running": running,
            "depth": depth,
            "lost": self.publisher.depth(LOST),
            "why": self.why,
            "keys": list(self.consumer.keys),
            "module": self._module,
            "trouble": self._trouble(bool(depth) and self.state == "ready"),
        }

    @property
    def _module(self) -> str:
        """Where its handlers are, which know the consumer: so `consume` finds it there."""
        functions = [handler.function for handler in self.consumer.handlers.values()]
        return next((str(getattr(function, "__module__", "") or "") for function in functions), "")

    def _trouble(self, waiting: bool) -> dict[str, object]:
        """What may be wrong although it is ready; and for how many seconds the oldest running handler has run."""
        began = min((began for _, began in list(self._worker.running.values())), default=None)
        longest = 0.0 if began is None else round(time.monotonic() - began, 1)
        return {**self._worker.tally.trouble(waiting=waiting), "running_for": longest, "timeout": self.consumer.timeout}

    def failed(self) -> str:
        """Why this process must not go on, if there is a reason."""
        if not self.stopping.is_set():
            for thread in (*self._pumps, *self._hands):
                if not thread.is_alive():
                    return f"thread {thread.name!r} died"
        return self._overdue()

    def _overdue(self) -> str:
        """A handler cannot be stopped from outside: report where it is, and let the process end."""
        for ident, (delivery, began) in list(self._worker.running.items()):
            seconds = time.monotonic() - began
            if self.consumer.timeout is not None and seconds > self.consumer.timeout:
                frame = sys._current_frames().get(ident)  # noqa: SLF001 - there is no other way
                telemetry.overdue.send_robust(
                    Crew, consumer=self.consumer, message=delivery.message, seconds=seconds,
                    stack="".join(traceback.format_stack(frame)),
                )  # fmt: skip
                return f"a handler of {self.name} ran longer than {self.consumer.timeout:g} s"
        return ""

    def _thread(self, role: str, target: Callable[..., None], *args: object) -> threading.Thread:
        return threading.Thread(target=target, args=args, name=f"{self.name} {role}", daemon=True)

    # --- pumps -------------------------------------------------------------------------------

    def _pump(self, number: int, source: Callable[[], Subscriber]) -> None:
        """Connect, take what arrives, and again, until told to stop. While held, have no link at all."""
        pause = Pause(0.5, 10.0)
        while not self.stopping.is_set():
            if self.held:
                self._told(number, self.held)
                self.stopping.wait(_WAIT)
                continue
            try:
                self._drain(number, source(), pause)
            except (Unavailable, TopologyMismatch) as error:
                telemetry.hindered.send_robust(Crew, daemon=f"consumer {self.name}", error=error)
                self._told(number, str(error))
                seconds = next(pause)
                self._turned[number] += seconds
                self.stopping.wait(seconds)
        connections.close_all()

    def _drain(self, number: int, subscriber: Subscriber, pause: Pause) -> None:
        try:
            for delivery in subscriber.deliveries(_WAIT):
                self._told(number, "")
                pause.reset()
                if delivery is not None:
                    self._arrived.put((number, delivery))
                if self.stopping.is_set() or self.held:
                    break
        finally:
            self._hand_back(number)
            subscriber.close(self._patience())

    def _patience(self) -> float:
        """How long to serve the link until what runs is settled. After a failure: not at all."""
        if self.stopping.is_set():
            return max(self.deadline() - time.monotonic(), 0.0)
        return _WHEN_PAUSED if self.held else 0.0

    def _hand_back(self, number: int) -> None:
        """Release what came from there and nobody has begun. The other source's is none of its business."""
        waiting = []
        while (arrived := self._next(0)) is not None:
            waiting.append(arrived)
        for source, delivery in waiting:
            if source == number:
                delivery.release()
            else:
                self._arrived.put((source, delivery))

    def _told(self, number: int, why: str) -> None:
        before, self._away[number] = self.state, why
        self._turned[number] = time.monotonic()
        if before != self.state or (why and self._reminder.due):
            self._reminder.said()
            # The state may be another source's: its reason is the one to tell.
            why = next(filter(None, self._away.values()), "")
            telemetry.changed.send_robust(Crew, daemon=f"consumer {self.name}", state=self.state, why=why)

    # --- hands -------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self.stopping.is_set():
            deliveries = self._batch()
            if deliveries:
                self._worker.handle(deliveries)
                reset_queries()
        connections.close_all()

    def _batch(self) -> list[Delivery]:
        """One delivery, and what else is ready, up to the consumer's batch."""
        first = self._next(_WAIT)
        found = [] if first is None else [first]
        while found and len(found) < self.consumer.batch and (more := self._next(0)):
            found.append(more)
        return [delivery for _, delivery in found]

    def _next(self, wait: float) -> tuple[int, Delivery] | None:
        try:
            return self._arrived.get(timeout=wait) if wait else self._arrived.get_nowait()
        except Empty:
            return None
