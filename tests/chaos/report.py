"""The table that people read, and the file that programs read."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.checker import check
from tests.chaos.endings import cause
from tests.chaos.history import History
from tests.chaos.misdeeds import ALL

BUCKETS = (
    *("lost", "twice", "ghost", "alien", "misordered", "dead", "parked", "left"),
    *("fell", "told", "stopped", "vacuous"),
)
_SHOWN = 10


@dataclass
class Result:
    """A run and what came of it."""

    seed: str
    broker: str
    database: str
    minutes: float
    servers: list[str]
    history: History
    replay: str
    seconds_to_drain: float
    transactions: Mapping[str, int] = field(default_factory=dict)
    restarts: int = 0
    absorbed: int = 0
    trouble: list[str] = field(default_factory=list)
    """Faults that could not be done: the machine's failure, not the library's."""

    @property
    def problems(self) -> dict[str, list[str]]:
        return check(self.history)


def as_json(result: Result) -> dict[str, Any]:
    """Everything but the single events."""
    history = result.history
    return {
        "seed": result.seed, "broker": result.broker, "database": result.database, "minutes": result.minutes,
        "servers": result.servers, "passed": not result.problems, "replay": result.replay,
        "transactions": dict(result.transactions),
        "attempted": len(history.attempted), "committed": len(history.committed),
        "consumers": {name: figures(history, name) for name in history.consumers},
        "duplicates_absorbed": result.absorbed, "seconds_to_drain": round(result.seconds_to_drain, 1),
        "restarts": result.restarts, "endings": endings(history),
        "fired": dict(sorted(history.fired.items())), "left": history.left, "trouble": result.trouble,
        "counts": {bucket: len(result.problems.get(bucket, [])) for bucket in BUCKETS},
        "problems": result.problems,
    }  # fmt: skip


def figures(history: History, consumer: str) -> dict[str, int]:
    """What one consumer did."""
    effects = [effect.event for effect in history.effects if effect.consumer == consumer]
    return {
        "effects": len(effects),
        "repeated": len(effects) - len(set(effects)),
        "dead": sum(dead.consumer == consumer for dead in history.dead),
        "begun": sum(run.consumer == consumer for run in history.runs),
    }


def endings(history: History) -> dict[str, int]:
    """How often processes ended, by what made them."""
    return dict(sorted(Counter(cause(ending, history) or "nothing" for ending in history.endings).items()))


def write(result: Result, path: Path) -> None:
    path.write_text(json.dumps(as_json(result), indent=2) + "\n")


def table(result: Result) -> str:
    """The whole report as text."""
    return "\n".join([*_head(result), "", *_consumers(result.history), "", *_faults(result), "", *_verdict(result)])


def _head(result: Result) -> Iterator[str]:
    history, done = result.history, result.transactions
    yield f"Chaos, seed {result.seed}: {result.minutes:g} minutes on {', '.join(result.servers)} ({result.broker})"
    yield ""
    yield f"  {_words(done)} transactions; {len(history.attempted):,} events attempted"
    yield f"  {len(history.committed):,} events committed; drained {result.seconds_to_drain:.0f} s after the last fault"
    yield f"  {result.restarts:,} restarts of processes; {result.absorbed:,} duplicates on the wire absorbed"


def _consumers(history: History) -> Iterator[str]:
    yield f"  {'consumer':<16}{'began':>9}{'effects':>9}{'repeated':>10}{'dead letters':>14}"
    for name in history.consumers:
        row = figures(history, name)
        yield f"  {name:<16}{row['begun']:>9,}{row['effects']:>9,}{row['repeated']:>10,}{row['dead']:>14,}"
    yield "  (chaos.outside works outside of the database: at least once, so it may repeat)"


def _faults(result: Result) -> Iterator[str]:
    fired = result.history.fired
    misdeeds = {what: count for what, count in fired.items() if what in ALL}
    faults = {what: count for what, count in fired.items() if what not in ALL}
    yield from _wrapped(f"{sum(faults.values()):,} faults", faults)
    yield from _wrapped(f"{sum(misdeeds.values()):,} misdeeds", misdeeds)
    yield from _wrapped(f"{len(result.history.endings):,} processes ended by", endings(result.history))
    for what in result.trouble:
        yield f"  could not be done: {what}"


def _wrapped(what: str, counts: Mapping[str, int]) -> list[str]:
    return textwrap.wrap(f"{what}: {_words(counts)}", 100, initial_indent="  ", subsequent_indent="    ")


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what} {count:,}" for what, count in sorted(counts.items())) or "none"


def _verdict(result: Result) -> Iterator[str]:
    problems = result.problems
    yield "  " + "  ".join(f"{bucket} {len(problems.get(bucket, []))}" for bucket in BUCKETS)
    for bucket, found in problems.items():
        yield from _shown(bucket, found)
    yield ""
    yield "  NOT HELD. To see it again:" if problems else "  Held: nothing lost, nothing twice, nothing that was not."
    yield f"  {result.replay}"


def _shown(bucket: str, found: list[str]) -> Iterable[str]:
    more = [f"    … and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [f"  {bucket}:", *(f"    {problem}" for problem in found[:_SHOWN]), *more]
