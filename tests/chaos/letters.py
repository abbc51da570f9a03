"""The dead letters: those that were due, and no others, each after as many attempts as the ladder says."""

from collections.abc import Iterator

from tests.chaos.endings import cause
from tests.chaos.history import Dead, History

REASONS = {"poison": "crashed", "fail": "failed", "reject": "rejected"}
"""What must become a dead letter, and with which reason."""
_NOBODYS_FAULT = ("the driver's kill", "the deadline")


def wrongly_dead(history: History) -> list[str]:
    """Dead letters that nobody asked for, those that are missing, and those that came too soon or too late."""
    return [*_missing(history), *_unasked(history), *_miscounted(history)]


def _due(history: History) -> dict[tuple[str, str], str]:
    return {(event.to, event.event): REASONS[event.does] for event in history.committed if event.does in REASONS}


def _missing(history: History) -> Iterator[str]:
    dead = {(letter.consumer, letter.event) for letter in history.dead}
    for place, why in _due(history).items():
        if place not in dead:
            yield f"{' '.join(place)}: should be {why}"


def _unasked(history: History) -> Iterator[str]:
    due = _due(history)
    for letter in history.dead:
        if due.get((letter.consumer, letter.event)) != letter.reason and not _bad_luck(history, letter):
            yield f"{letter.consumer} {letter.event}: {letter.reason}, and nobody asked for it"


def _miscounted(history: History) -> Iterator[str]:
    for letter in history.dead:
        right = 1 if letter.reason == "rejected" else history.attempts[letter.consumer]
        if letter.attempts != right:
            yield f"{letter.consumer} {letter.event}: {letter.reason} after {letter.attempts} attempts, not {right}"


def _bad_luck(history: History, letter: Dead) -> bool:
    """Whether the driver itself ended the process, while the last attempt ran there: that one runs alone."""
    runs = [run for run in history.runs if (run.consumer, run.event) == (letter.consumer, letter.event)]
    last = max(runs, key=lambda run: run.began, default=None)
    if letter.reason != "crashed" or last is None or last.over is not None:
        return False
    return any(cause(e, history) in _NOBODYS_FAULT for e in history.endings if e.process == last.process)
