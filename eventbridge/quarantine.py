"""Quarantine: what may kill its process is kept from what may not. A process has one, for all its consumers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eventbridge.outage import Stopped

_LOOK_EVERY = 0.2


class Quarantine:
    """First deliveries run together, suspects one at a time beside them, a suspect's last chance alone.

    A first delivery can kill the process while a suspect runs, and the suspect is charged for it:
    so it is never condemned before it died alone. Thread-safe; nobody may enter twice.
    """

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._changed = threading.Condition()
        self._together = 0
        self._suspect = self._alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """For first deliveries. Raises Stopped if the process stops before one may begin."""
        with self._changed:
            self._wait_until(lambda: not self._alone)
            self._together += 1
        try:
            yield
        finally:
            with self._changed:
                self._together -= 1
                self._changed.notify_all()

    @contextmanager
    def apart(self, *, alone: bool) -> Iterator[None]:
        """For a suspect; ``alone``: nothing else begins, or runs, meanwhile. Raises Stopped as above."""
        with self._changed:
            self._wait_until(lambda: not self._suspect)
            self._suspect, self._alone = True, alone
        try:
            with self._changed:
                self._wait_until(lambda: not (alone and self._together))
            yield
        finally:
            with self._changed:
                self._suspect = self._alone = False
                self._changed.notify_all()

    def _wait_until(self, free: Callable[[], bool]) -> None:
        while not free():
            if self._stopping.is_set():
                raise Stopped
            self._changed.wait(_LOOK_EVERY)
