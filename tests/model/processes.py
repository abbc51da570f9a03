"""Processes of the model: eventbridge's own relay, worker and subscribers, moved on step by step in one thread."""

from __future__ import annotations

import threading
from collections import deque

from eventbridge.consumer import Consumer
from eventbridge.errors import Unavailable
from eventbridge.relay import Relay
from eventbridge.replays import Replays
from eventbridge.transports import Delivery, Subscriber
from eventbridge.worker import Worker
from tests.model.sides import Side

LEASE = 3600.0
"""Seconds: none runs out by itself while a history is played."""
_ENOUGH = 20


class Stopping(threading.Event):
    """Waiting takes no time: what was waited for is over, or the process is told to stop meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.told_while_it_waits = False
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        assert self.waits < _ENOUGH, "it waits for ever"
        if self.told_while_it_waits:
            self.set()
        return self.is_set()


def make_relay(side: Side, holder: str) -> Relay:
    return Relay(side.publisher(), holder=holder, batch=3, lease=LEASE)


class ConsumerProcess:
    """What a crew does with its threads: take from the queue and from the replays, work, stop, wait."""

    def __init__(self, side: Side, consumer: Consumer) -> None:
        self.consumer = consumer
        self.stopping = Stopping()
        self._side = side
        self._worker = Worker(consumer, self.stopping)
        self._queue = side.subscriber(consumer)
        self._replays = Replays(consumer.name, "default", consumer.prefetch)
        self._hand: deque[tuple[Subscriber, Delivery]] = deque()

    @property
    def has_work(self) -> bool:
        return bool(self._hand)

    @property
    def leases(self) -> set[str]:
        """What it renews while it lives."""
        return {getattr(self._queue, "lease", ""), self._replays.lease}

    def take(self) -> None:
        """Let it settle what was noted, and fetch what there is."""
        try:
            self._take_from(self._queue)
        except Unavailable:
            self._hand_back(self._queue)
            self._queue.close(0.0)
            self._queue = self._side.subscriber(self.consumer)

    def take_replays(self) -> None:
        """Look whether dead letters are marked for replay."""
        try:
            self._take_from(self._replays)
        except Unavailable:
            self._hand_back(self._replays)
            self._replays = Replays(self.consumer.name, "default", self.consumer.prefetch)

    def work(self, at_most: int) -> None:
        """Handle what is in hand, up to a batch."""
        together = min(self.consumer.batch, len(self._hand), at_most)
        ready = [self._hand.popleft()[1] for _ in range(together)]
        self.stopping.waits = 0
        if ready:
            self._worker.handle(ready)

    def stop(self) -> None:
        """As on SIGTERM: hand back what nobody has begun, settle the rest."""
        for source in (self._queue, self._replays):
            self._hand_back(source)
            source.close(0.1)

    def lose_link(self) -> None:
        self._side.vanish(self._queue)

    def _take_from(self, source: Subscriber) -> None:
        for delivery in source.deliveries(0):
            if delivery is None:
                return
            self._hand.append((source, delivery))

    def _hand_back(self, source: Subscriber) -> None:
        mine = [delivery for one, delivery in self._hand if one is source]
        self._hand = deque(pair for pair in self._hand if pair[0] is not source)
        for delivery in mine:
            delivery.release()
