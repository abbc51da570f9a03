"""Bench, rig, ratio: what is measured, by whom, and what is to come of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, list[float]]
"""By a rig's name (and what it measured, where that is several things): one figure for each round."""


class Skipped(Exception):
    """This rig cannot run here; the message says why."""


@dataclass(frozen=True)
class Rig:
    """One way to do the work. ``measure`` is one round; it returns a figure, or several by their names."""

    name: str
    measure: Callable[[], float | Mapping[str, float]]
    unit: str
    peer: str = ""
    """The project whose environment it needs; none: our own."""


@dataclass(frozen=True)
class Ratio:
    """``of`` divided by the fastest of ``to``, round by round; by nothing, where the goal is a figure."""

    name: str
    of: str
    to: Sequence[str] = ()
    at_least: float | None = None
    at_most: float | None = None

    def values(self, values: Values) -> list[float]:
        """One for each round in which both sides were measured."""
        if not self.to:
            return values.get(self.of, [])
        others = [values[name] for name in self.to if values.get(name)]
        if not values.get(self.of) or not others:
            return []
        rounds = zip(values[self.of], *others, strict=False)
        return [_quotient(ours, max(rest)) for ours, *rest in rounds]

    @property
    def goal(self) -> str:
        parts = [f">= {self.at_least:g}" if self.at_least is not None else ""]
        parts += [f"<= {self.at_most:g}" if self.at_most is not None else ""]
        return " and ".join(filter(None, parts))

    def is_met(self, value: float) -> bool:
        enough = self.at_least is None or value >= self.at_least
        return enough and (self.at_most is None or value <= self.at_most)


def _quotient(value: float, by: float) -> float:
    return value / by if by else math.inf


@dataclass
class Bench:
    """A table of its own. ``rounds`` is how many there are unless the command line says."""

    name: str
    about: str
    rigs: Sequence[Rig]
    ratios: Sequence[Ratio]
    settings: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 5


@dataclass
class Outcome:
    """What came of a bench."""

    bench: Bench
    values: Values = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    finished: bool = False

    def note(self, rig: Rig, measured: float | Mapping[str, float]) -> None:
        several = measured if isinstance(measured, Mapping) else {"": measured}
        for what, value in several.items():
            name = f"{rig.name}, {what}" if what else rig.name
            self.values.setdefault(name, []).append(value)
            self.units[name] = rig.unit


def run(bench: Bench, rounds: int, say: Callable[[str], None]) -> Outcome:
    """Every rig once a round; every other round in the opposite order, so that nobody always comes first.

    An interrupt ends it with what was measured so far.
    """
    outcome = Outcome(bench)
    with suppress(KeyboardInterrupt):
        _rounds(outcome, rounds, say)
        outcome.finished = True
    return outcome


def _rounds(outcome: Outcome, rounds: int, say: Callable[[str], None]) -> None:
    bench = outcome.bench
    for number in range(rounds):
        for rig in bench.rigs if number % 2 == 0 else list(reversed(bench.rigs)):
            if rig.name not in outcome.skipped:
                say(f"{bench.name}, round {number + 1} of {rounds}: {rig.name}")
                _once(rig, outcome)


def _once(rig: Rig, outcome: Outcome) -> None:
    """One that cannot be measured, or fails, is left out with the reason; the others go on."""
    try:
        outcome.note(rig, rig.measure())
    except Skipped as reason:
        outcome.skipped[rig.name] = str(reason)
    except Exception as error:
        outcome.skipped[rig.name] = f"failed: {type(error).__name__}: {error}"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
