"""Visit: one thing is looked at, in a thread of its own, so that nothing waits for what hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import connections

from eventbridge.diagnosis import ATTENTION, STOPPED

FINE = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: FINE, ATTENTION or STOPPED. ``mend`` is what to do; empty where nothing is to be done."""

    severity: int
    about: str
    what: str
    mend: str = ""


Note = tuple[int, str, str]
"""A finding of a visit, which knows what it is about."""


def fine(what: str) -> Note:
    return FINE, what, ""


def doubtful(what: str, mend: str) -> Note:
    return ATTENTION, what, mend


def broken(what: str, mend: str) -> Note:
    return STOPPED, what, mend


class Visit(threading.Thread):
    """Collects what ``look`` finds. Whatever it raises is a finding, too."""

    def __init__(self, about: str, look: Callable[[], Iterable[Note]]) -> None:
        super().__init__(name=f"doctor {about}", daemon=True)
        self.about = about
        self._look = look
        self._notes: list[Note] = []

    def run(self) -> None:
        try:
            self._notes.extend(self._look())
        except Exception as error:  # a driver, a module or a setting of theirs: the rest must still be told
            text = f"It cannot be examined: {type(error).__name__}: {error}".strip()
            self._notes.append(broken(text, "Mend what the error names, and ask again."))
        finally:
            connections.close_all()

    def findings(self, seconds: float) -> Iterator[Finding]:
        """What it has found so far; that it has not come to an end is a finding."""
        hangs = self.is_alive()
        for severity, what, mend in list(self._notes):
            yield Finding(severity, self.about, what, mend)
        if hangs:
            text = f"It did not answer within {seconds:g} s."
            mend = "See whether it hangs, or is far away; `--timeout` gives it longer."
            yield Finding(STOPPED, self.about, text, mend)


def carry_out(visits: Sequence[Visit], seconds: float) -> list[Finding]:
    """All at once; those that are not back after ``seconds`` are left behind."""
    until = time.monotonic() + seconds
    for visit in visits:
        visit.start()
    for visit in visits:
        visit.join(max(0.0, until - time.monotonic()))
    return [finding for visit in visits for finding in visit.findings(seconds)]
