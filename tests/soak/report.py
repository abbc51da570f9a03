"""The table that people read, and the file that programs read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.soak.run import Findings
from tests.soak.sampling import TABLES
from tests.soak.trends import MIB, Trend, trend

HELD = ("memory", "files", "threads", "database", "connections", "channels")
_UNITS = {"memory": MIB, "table": MIB}


def trends(findings: Findings) -> dict[tuple[str, str], Trend]:
    return {of: trend(points) for of, points in findings.series.items() if len(points) > 2}


def problems(findings: Findings) -> list[str]:
    """What grows, who ended, and which events did not take effect once. Empty: the soak was fine."""
    found = [*findings.ended, *(f"a password was told in {line}" for line in findings.told)]
    for (who, what), seen in trends(findings).items():
        if not seen.is_flat("table" if who == "tables" else what):
            found.append(f"{what} of {who} grows: {_cell(seen, what)}")
    done = {name: count - findings.repeated[name] for name, count in findings.effects.items()}
    done["soak.failing"] = done.get("soak.failing", 0) + findings.dead
    found += [
        f"{name} settled {count:,} of {findings.committed:,} events"
        for name, count in done.items()
        if count != findings.committed
    ]
    twice = {name: count for name, count in findings.repeated.items() if count and name != "soak.outside"}
    return found + [f"{name} took effect {count:,} times more than once" for name, count in twice.items()]


def write(findings: Findings, path: Path) -> None:
    path.write_text(json.dumps(_as_json(findings), indent=1) + "\n")


def _as_json(findings: Findings) -> dict[str, Any]:
    seen = {
        f"{who} {what}": {"first": t.first, "last": t.last, "peak": t.peak, "slope_per_hour": t.slope}
        for (who, what), t in trends(findings).items()
    }
    return {
        "minutes": findings.minutes, "servers": findings.servers, "flat": not problems(findings),
        "problems": problems(findings), "committed": findings.committed, "effects": findings.effects,
        "repeated": findings.repeated, "dead": findings.dead, "shakes": findings.shakes, "trends": seen,
        "samples": {f"{who} {what}": points for (who, what), points in findings.series.items()},
    }  # fmt: skip


def table(findings: Findings) -> str:
    return "\n".join([*_head(findings), "", *_held(findings), "", *_tables(findings), "", *_verdict(findings)])


def _head(findings: Findings) -> Iterator[str]:
    done = ", ".join(f"{name} {count:,}" for name, count in sorted(findings.effects.items()))
    yield f"Soak: {findings.minutes:g} minutes on {', '.join(findings.servers)}"
    yield f"  {findings.committed:,} events committed; effects: {done}; {findings.dead:,} dead letters"
    yield f"  all connections closed by a server {findings.shakes} times"
    yield "  each cell: median of the first third → of the last third (slope an hour)"


def _held(findings: Findings) -> Iterator[str]:
    seen = trends(findings)
    names = list(dict.fromkeys(who for who, _ in seen if who != "tables"))
    yield f"  {'':<12}{'memory, MiB':<24}" + "".join(f"{what:<21}" for what in HELD[1:])
    for name in names:
        cells = [_cell(seen[name, what], what) for what in HELD]
        yield f"  {name:<12}{cells[0]:<24}" + "".join(f"{cell:<21}" for cell in cells[1:])


def _tables(findings: Findings) -> Iterator[str]:
    seen = trends(findings)
    yield "  tables with their indexes, MiB (the trail keeps 5 minutes here)"
    for name in TABLES:
        if ("tables", name) in seen:
            found = seen["tables", name]
            yield f"  {name:<24}{_cell(found, 'table')}, at most {found.peak / MIB:.1f}"


def _cell(found: Trend, what: str) -> str:
    unit = _UNITS.get(what, MIB if what in TABLES else 1)
    digits = 1 if unit == MIB else 0
    return f"{found.first / unit:.{digits}f} → {found.last / unit:.{digits}f} ({found.slope / unit:+.1f})"


def _verdict(findings: Findings) -> Iterator[str]:
    found = problems(findings)
    yield "  NOT FLAT:" if found else "  Flat: nothing grows, everything arrived."
    yield from (f"    {problem}" for problem in found)
