"""The table that people read, and the file that programs read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench import Outcome, Ratio, median

_WIDTH = 66
_WHOLE = 100  # from here on nobody wants decimals


def as_json(machine: dict[str, Any], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {**machine, "benches": {outcome.bench.name: _bench(outcome) for outcome in outcomes}}


def _bench(outcome: Outcome) -> dict[str, Any]:
    return {
        "about": outcome.bench.about,
        "settings": dict(outcome.bench.settings),
        "finished": outcome.finished,
        "figures": {
            name: {"unit": outcome.units[name], "median": _round(median(found)), "rounds": [_round(v) for v in found]}
            for name, found in outcome.values.items()
        },
        "ratios": {ratio.name: _ratio(ratio, outcome) for ratio in outcome.bench.ratios},
        "skipped": outcome.skipped,
    }


def _ratio(ratio: Ratio, outcome: Outcome) -> dict[str, Any]:
    found = ratio.values(outcome.values)
    value = median(found) if found else None
    met = None if value is None or not ratio.goal else ratio.is_met(value)
    return {
        "median": None if value is None else _round(value),
        "rounds": [_round(v) for v in found],
        "goal": ratio.goal,
        "met": met,
    }


def write(path: Path, machine: dict[str, Any], outcomes: Sequence[Outcome]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(machine, outcomes), indent=2, ensure_ascii=False) + "\n")


def table(machine: dict[str, Any], outcomes: Sequence[Outcome]) -> str:
    """The whole report as text."""
    return "\n".join([*_head(machine), *(line for outcome in outcomes for line in _lines(outcome))])


def _head(machine: dict[str, Any]) -> Iterator[str]:
    for name, value in machine.items():
        words = ", ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, dict) else value
        yield f"{name}: {words}"


def _lines(outcome: Outcome) -> Iterator[str]:
    yield f"\n{outcome.bench.name}: {outcome.bench.about}"
    yield f"  {'':<{_WIDTH}}{'median':>12}{'from':>12}{'to':>12}"
    for name, found in outcome.values.items():
        figures = "".join(f"{_words(value):>12}" for value in (median(found), min(found), max(found)))
        yield f"  {name:<{_WIDTH}}{figures} {outcome.units[name]}"
    yield f"  {'ratio':<{_WIDTH}}{'median':>12}{'from':>12}{'to':>12} goal"
    for ratio in outcome.bench.ratios:
        if found := ratio.values(outcome.values):
            figures = "".join(f"{value:>12.2f}" for value in (median(found), min(found), max(found)))
            yield f"  {ratio.name:<{_WIDTH}}{figures} {_verdict(ratio, median(found))}".rstrip()
    if not outcome.finished:
        yield "  interrupted: this is what was measured until then"
    for name, reason in outcome.skipped.items():
        yield f"  skipped {name}: {reason}"


def _verdict(ratio: Ratio, value: float) -> str:
    if not ratio.goal:
        return ""
    return f"{ratio.goal}  {'met' if ratio.is_met(value) else 'NOT MET'}"


def _words(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE else f"{value:.2f}"


def _round(value: float) -> float:
    return float(f"{value:.4g}")
