"""Ledger: what the broker has handed over a channel, and who settles it."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Ledger:
    """The delivery tags of one channel that are not settled yet. For any thread.

    ``wake`` is called when there is something for the channel's own thread to carry out, once for
    a burst. After :meth:`close` nothing is settled any more: the broker has taken everything back.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._open = True
        self._unsettled: dict[int, None] = {}  # in the order of arrival, which is that of the tags
        self._claimed: set[int] = set()
        self._settled: list[tuple[int, bool]] = []

    def __len__(self) -> int:
        """How many the broker waits for."""
        return len(self._unsettled)

    @property
    def newest(self) -> int:
        """The last tag that came. There must be one."""
        return next(reversed(self._unsettled))

    def arrived(self, tag: int) -> None:
        self._unsettled[tag] = None

    def claim(self, tag: int) -> bool:
        """Take it on oneself to settle ``tag``. False: somebody else has, or the channel is gone."""
        with self._lock:
            free = self._open and tag in self._unsettled and tag not in self._claimed
            if free:
                self._claimed.add(tag)
            return free

    def unclaim(self, tag: int) -> None:
        """It could not be settled: it is held as before."""
        with self._lock:
            self._claimed.discard(tag)

    def settle(self, tag: int, *, requeue: bool) -> None:
        """Have ``tag`` acknowledged, or handed back."""
        with self._lock:
            if self._open:
                self._settled.append((tag, requeue))
                if len(self._settled) == 1:
                    self._wake()

    def close(self) -> None:
        with self._lock:
            self._open = False

    def carry_out(self) -> tuple[int, list[int], list[int]]:
        """What is to be told to the broker, for the channel's own thread to do so.

        Acknowledge everything up to the first number (0: nothing); these one by one; hand these back.
        """
        with self._lock:
            settled, self._settled = self._settled, []
            done = {tag for tag, requeue in settled if not requeue}
            together = self._oldest(done)
            for tag, _ in settled:
                self._claimed.discard(tag)
                self._unsettled.pop(tag, None)
        singly = [tag for tag, requeue in settled if not requeue and tag > together]
        return together, singly, [tag for tag, requeue in settled if requeue]

    def _oldest(self, done: set[int]) -> int:
        """The last one of ``done`` before which nothing is unsettled: one frame can say so of them all."""
        last = 0
        for tag in self._unsettled:
            if tag not in done:
                break
            last = tag
        return last
