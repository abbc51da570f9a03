"""A glance at the bus: what stands where and what is wrong, taken once for all who look at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from eventbridge.admin.holds import Parts, parts_of
from eventbridge.diagnosis import Problem, diagnose
from eventbridge.flow import Flow, flow_of
from eventbridge.status import take_report

_FRESH = 2.0  # seconds: as often as the page asks
_SHARE = 10  # a glance is good for so many times what it took
_OLDEST = 60.0


@dataclass(frozen=True, slots=True)
class Glance:
    """The problems, the worst first, the picture, and what can be paused."""

    problems: Sequence[Problem]
    flow: Flow
    parts: Parts


class Glances:
    """The last glance, for all viewers of this process. Thread-safe: one takes it, the others wait for that one.

    It is taken again when it is two seconds old, or ten times as old as it took: to count a million events takes
    its time, and whoever looks, however many, has the databases work for it a tenth of the time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Glance | None = None
        self._until = 0.0

    def look(self) -> Glance:
        """At most a minute old. Raises what the databases raise, but for those that are merely away."""
        with self._lock:
            if self._last is None or time.monotonic() >= self._until:
                began = time.monotonic()
                report = take_report()
                self._last = Glance(diagnose(report), flow_of(report), parts_of(report))
                took = time.monotonic() - began
                self._until = began + min(max(_FRESH, _SHARE * took), _OLDEST)
            return self._last

    def forget(self) -> None:
        """Something was changed by hand: the next one to look shall see it."""
        with self._lock:
            self._last = None


glances = Glances()
