"""Tally: what a worker's attempts came to, and since when they come to nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Hashable
from typing import Any

from eventbridge.obituary import words
from eventbridge.redaction import WITHHELD, kind_of
from eventbridge.wording import one_line

_REMEMBERED = 300.0
"""Seconds that failures are told after the last of their retries was due."""
_MOST_EVENTS = 100
_LONGEST = 200


class Tally:
    """Counts one worker's attempts. Thread-safe.

    Failures that follow each other without a success between are remembered as one streak. It ends with
    a success, or when no retry of it is to come and nothing has failed for five minutes.
    """

    def __init__(self) -> None:
        self.counted = {"handled": 0, "failed": 0}
        self._lock = threading.Lock()
        self._succeeded = self._moved = time.monotonic()
        self._forget()

    def _forget(self) -> None:
        self._failing, self._since, self._until, self._error = 0, 0.0, 0.0, ""
        self._events: set[Hashable] = set()

    def handled(self) -> None:
        """An attempt succeeded."""
        with self._lock:
            self.counted["handled"] += 1
            self._succeeded = self._moved = time.monotonic()
            self._forget()

    def failed(self, event: Hashable, error: BaseException, after: float | None, redact: Collection[str]) -> None:
        """An attempt at that event failed; the next one comes ``after`` so many seconds, or not at all."""
        kind = kind_of(error).rpartition(".")[2]
        text = one_line(f"{kind}{WITHHELD}" if redact else f"{kind}: {words(error)}")
        with self._lock:
            self.counted["failed"] += 1
            self._end_if_over()
            self._moved = now = time.monotonic()
            self._since = self._since or now
            self._until = max(self._until, now + (after or 0.0) + _REMEMBERED)
            self._failing, self._error = self._failing + 1, text[:_LONGEST]
            if len(self._events) < _MOST_EVENTS:
                self._events.add(event)

    def trouble(self, *, waiting: bool) -> dict[str, Any]:
        """What may be wrong, in figures; all times are seconds up to now.

        ``failing``: attempts that failed since the last success, of so many different ``events``, for
        ``failing_for``, lastly of ``error``. ``fruitless``: since the last success, or the start.
        ``stalled``: for how long something has been ``waiting`` whenever this was asked, and no attempt ended.
        """
        now = time.monotonic()
        with self._lock:
            self._end_if_over()
            if not waiting:
                self._moved = now
            return {
                "failing": self._failing,
                "events": len(self._events),
                "failing_for": round(now - self._since, 1) if self._failing else 0.0,
                "error": self._error,
                "fruitless": round(now - self._succeeded, 1),
                "stalled": round(now - self._moved, 1),
            }

    def _end_if_over(self) -> None:
        if self._failing and time.monotonic() > self._until:
            self._forget()
