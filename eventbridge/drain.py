"""Drain: when a process that consumes has done all there was to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from eventbridge import telemetry
from eventbridge.transports import Delivery, Message, Subscriber

QUIET = 2.0
"""Seconds in which nothing came, and nothing was in hand. Longer than Replays takes to look again."""


class Drain:
    """Watches where deliveries come from. Use it from any thread.

    What is to be retried later is not waited for: it is for the next time.
    """

    def __init__(self) -> None:
        self.finished = False
        self.counted = {"handled": 0, "retried": 0, "died": 0}
        self._sources: list[_Source] = []
        self._counting = threading.Lock()
        for name in self.counted:
            getattr(telemetry, name).connect(partial(self._count, name), weak=False)

    def watch(self, source: Callable[[], Subscriber]) -> Callable[[], Subscriber]:
        """The same source of deliveries, watched."""
        seen = _Source()
        self._sources.append(seen)
        return lambda: _Watched(source(), seen)

    def then(self, stop: Callable[[], None]) -> None:
        """Call ``stop``, from a thread of its own, as soon as all is done."""
        threading.Thread(target=self._wait, args=(stop,), name="drain", daemon=True).start()

    def _wait(self, stop: Callable[[], None]) -> None:
        while not all(source.is_quiet for source in self._sources):
            time.sleep(0.1)
        self.finished = True
        stop()

    def _count(self, outcome: str, **kwargs: Any) -> None:
        with self._counting:
            self.counted[outcome] += 1


class _Source:
    """What is known of one: how many of its deliveries are in hand, and since when nothing came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_hand = 0
        self._quiet_since: float | None = None

    @property
    def is_quiet(self) -> bool:
        since = self._quiet_since
        return since is not None and time.monotonic() - since >= QUIET

    def gave(self) -> None:
        with self._lock:
            self._in_hand += 1
            self._quiet_since = None

    def got_back(self) -> None:
        with self._lock:
            self._in_hand -= 1

    def gave_nothing(self) -> None:
        """Which says nothing while there is no room for more."""
        with self._lock:
            if not self._in_hand:
                self._quiet_since = self._quiet_since or time.monotonic()

    def is_away(self) -> None:
        self._quiet_since = None


class _Watched:
    """A Subscriber."""

    def __init__(self, inner: Subscriber, seen: _Source) -> None:
        self._inner = inner
        self._seen = seen

    def deliveries(self, wait: float) -> Iterator[Delivery | None]:
        try:
            for delivery in self._inner.deliveries(wait):
                if delivery is None:
                    self._seen.gave_nothing()
                    yield None
                else:
                    self._seen.gave()
                    yield _InHand(delivery, self._seen)
        finally:
            self._seen.is_away()

    def close(self, deadline: float) -> None:
        self._inner.close(deadline)


class _InHand:
    """A Delivery; it is given back once."""

    def __init__(self, inner: Delivery, seen: _Source) -> None:
        self._inner = inner
        self._seen: _Source | None = seen
        self.message: Message = inner.message
        self.attempt = inner.attempt
        self.redelivered = inner.redelivered

    def ack(self) -> None:
        self._inner.ack()
        self._give_back()

    def retry(self, after: float) -> None:
        self._inner.retry(after)
        self._give_back()

    def release(self) -> None:
        self._inner.release()
        self._give_back()

    def _give_back(self) -> None:
        seen, self._seen = self._seen, None
        if seen:
            seen.got_back()
