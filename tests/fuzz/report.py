"""The table that people read, and the figures that programs read."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.fuzz.contracts import CONSUMERS
from tests.fuzz.run import Report

_SHOWN = 10


def figures(report: Report) -> dict[str, Any]:
    """Everything but the single messages."""
    outcome = report.outcome
    return {
        "seed": report.seed, "messages": report.messages, "deliveries": len(outcome.due),
        "passed": not report.problems, "seconds": round(report.seconds, 1), "memory": report.memory,
        "restarts": outcome.restarts, "consumers": {name: _row(report, name) for name in CONSUMERS},
        "reasons": dict(Counter(letter.reason for letter in outcome.letters)),
        "recipes": dict(report.recipes.most_common()), "problems": report.problems,
    }  # fmt: skip


def table(report: Report) -> str:
    """The whole report as text."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    outcome = report.outcome
    size = f"{report.messages:,} messages, {len(outcome.due):,} deliveries, in {report.seconds:.0f} s"
    yield f"Fuzzing, seed {report.seed}: {size}"
    memory = ", ".join(f"{when} {size} MiB" for when, size in report.memory.items())
    yield f"  {outcome.restarts} restarts; memory {memory}"
    yield f"  {'consumer':<16}{'sent':>9}{'effects':>9}{'duplicates':>12}{'burials':>9}{'dead letters':>14}"
    for name in CONSUMERS:
        row = _row(report, name)
        yield f"  {name:<16}" + "".join(f"{row[k]:>{w},}" for k, w in zip(row, (9, 9, 12, 9, 14), strict=True))
    yield f"  dead letters: {_words(Counter(letter.reason for letter in outcome.letters))}"
    yield f"  recipes: {_words(report.recipes)}"
    for bucket, found in report.problems.items():
        yield f"  {bucket}: {len(found)}"
        yield from (f"    {problem}" for problem in found[:_SHOWN])
    yield (
        "  NOT HELD."
        if report.problems
        else "  Held: every message is an effect, a counted duplicate, or a dead letter."
    )


def _row(report: Report, consumer: str) -> dict[str, int]:
    outcome = report.outcome
    return {
        "sent": sum(due.consumer == consumer for due in outcome.due),
        "effects": sum(effect.consumer == consumer for effect in outcome.effects),
        "duplicates": sum(count for key, count in outcome.duplicates.items() if key[0] == consumer),
        "burials": sum(count for place, count in outcome.burials.items() if place[0] == consumer),
        "dead": sum(letter.consumer == consumer for letter in outcome.letters),
    }


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{what} {count:,}" for what, count in counts.most_common())
