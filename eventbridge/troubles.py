"""Troubles: consumers that are there and ready, and yet come to nothing. They fail, hang, or take nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventbridge.status import Process, Report
from eventbridge.wording import age, count

FAILURES, EVENTS = 3, 3
"""So many attempts in a row, at so many different events, have failed ..."""
LASTING = 300.0
"""... or for so many seconds, if it is always the same event or two. So long, too, may nothing end while some wait."""
RUNNING, BLOCKING = 240.0, 60.0
"""Seconds that a handler may run without a timeout of its own; and while others wait and no attempt ends."""
_RUNBOOK = "docs/runbooks/deaf-consumer.md says where to look"


@dataclass(frozen=True, slots=True)
class Trouble:
    """``state`` is a word for a picture, ``what`` a sentence, ``command`` what helps."""

    state: str
    what: str
    command: str


def trouble_of(report: Report, name: str) -> Trouble | None:
    """What is wrong with that consumer, the most telling thing; None if nothing is, or if it is paused or waits."""
    processes = [p for p in report.of("consumer", name) if p.alive and p.state == "ready"]
    if not processes:
        return None
    waiting = _waiting(report, name, processes)
    return _fails(name, processes) or _hangs(name, processes, waiting) or _stands_still(name, processes, waiting)


def _fails(name: str, processes: Sequence[Process]) -> Trouble | None:
    bad = [process for process in processes if _figure(process, "failing")]
    if len(bad) < len(processes):  # the others do their work: what each of these does counts by itself
        bad = [process for process in bad if _is_streak([process])]
    if not _is_streak(bad):
        return None
    failing, fruitless = sum(_figure(p, "failing") for p in bad), min(_figure(p, "fruitless") for p in bad)
    error = _told(max(bad, key=lambda process: _figure(process, "failing")))["error"]
    handled = any(process.figures.get("handled") for process in bad)
    where = f" in {len(bad)} of its {len(processes)} processes" if len(bad) < len(processes) else ""
    since = f"since it {'last handled anything' if handled else 'was started'}, {age(fruitless)} ago"
    text = f"Consumer {name} has failed {count(int(failing), 'time')}{where} {since}: {error}"
    mend = "Mend that; to pause it keeps the attempts until then."
    return Trouble("fails", f"{text.rstrip('.')}. {mend}", f"manage.py eventbridge pause {name}")


def _is_streak(processes: Sequence[Process]) -> bool:
    """Whether it is more than a single event that fails among others that do not."""
    if sum(_figure(process, "failing") for process in processes) < FAILURES:
        return False
    several = max(_figure(process, "events") for process in processes) >= EVENTS
    return several or max(_figure(process, "failing_for") for process in processes) >= LASTING


def _hangs(name: str, processes: Sequence[Process], waiting: int) -> Trouble | None:
    blocked = bool(waiting) and _stalled(processes) >= BLOCKING
    for process in processes:
        seconds = _figure(process, "running_for")
        alone = seconds >= RUNNING and _told(process).get("timeout") is None
        if alone or (blocked and seconds >= BLOCKING):
            behind = f", and {count(waiting, 'event waits', 'events wait')}" if waiting else ""
            text = f"A handler of {name} has run for {age(seconds)} in process {process.process}{behind}."
            mend = "If it hangs, start that process again; with Consumer(timeout=…) it ends by itself."
            command = f"py-spy dump --pid {process.process.rpartition(':')[2]} (or {_RUNBOOK})"
            return Trouble("hangs", f"{text} {mend}", command)
    return None


def _stands_still(name: str, processes: Sequence[Process], waiting: int) -> Trouble | None:
    stalled = _stalled(processes)
    if not waiting or stalled < LASTING:
        return None
    events = count(waiting, "event waits", "events wait")
    text = f"{events} for consumer {name}, which has handled none for {age(stalled)}."
    return Trouble("stands still", text, _RUNBOOK)


def _waiting(report: Report, name: str, processes: Sequence[Process]) -> int:
    """Events that it could take now: as the embedded broker's tables say, or its own processes."""
    for queue in report.queues:
        if queue.name == name:
            return queue.ready
    return max(int(process.figures.get("depth") or 0) for process in processes)


def _stalled(processes: Sequence[Process]) -> float:
    """One that works is enough: an ordered consumer has others that stand by."""
    return min(_figure(process, "stalled") for process in processes)


def _told(process: Process) -> dict[str, Any]:
    return process.figures.get("trouble") or {}


def _figure(process: Process, name: str) -> float:
    return float(_told(process).get(name) or 0)
