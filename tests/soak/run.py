"""One soak: everything works, connections are lost now and then, and somebody looks every few seconds."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.services.secrecy import SECRECY
from tests.services.waiting import wait_for
from tests.soak import sampling
from tests.soak.trends import Point
from tests.soak.world import DAEMONS, PRODUCERS, World, world

_EVERY = 3.0
_SHAKE_EVERY = 120.0
_TOO_MUCH = 5_000
_DRAINED_WITHIN = 300.0


@dataclass
class Findings:
    """What was seen: points by (process or "tables", what), and what came of the events."""

    minutes: float
    servers: list[str]
    series: dict[tuple[str, str], list[Point]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    """Processes that ended although nobody asked them to, or did not end as they should."""
    told: list[str] = field(default_factory=list)
    """Lines of the processes' logs that have a password."""
    shakes: int = 0
    committed: int = 0
    effects: dict[str, int] = field(default_factory=dict)
    repeated: dict[str, int] = field(default_factory=dict)
    dead: int = 0

    def add(self, who: str, at: float, figures: sampling.Figures) -> None:
        for what, figure in figures.items():
            self.series.setdefault((who, what), []).append((at, figure))


def soak(folder: Path, minutes: float, rate: float) -> Findings:
    """Do it all. What the processes said is in ``folder``."""
    with world(folder, rate) as made, psycopg.connect(made.database, autocommit=True) as database:
        findings = Findings(minutes, [f"{server.name} {server.version}" for server in (made.broker, made.server)])
        for name in DAEMONS:
            made.start(name)
        for name in ("consumers-1", "consumers-2"):
            made.processes[name].wait_for_output("consumer soak.failing is ready", 60)
        for name in PRODUCERS:
            made.start(name)
        _watch(made, database, findings)
        _drain(made, database, findings)
        _count(database, findings)
        findings.told = SECRECY.told_in(folder)
        return findings


def _watch(made: World, database: psycopg.Connection, findings: Findings) -> None:
    began = time.monotonic()
    shaken, told = began, began
    while (now := time.monotonic()) < began + findings.minutes * 60:
        _look(made, database, findings, now - began)
        if findings.ended:
            return
        if now - shaken >= _SHAKE_EVERY:
            shaken = now
            _shake(made, findings)
        if now - told >= 60:
            told = now
            _say(f"{(now - began) / 60:.0f} of {findings.minutes:g} minutes")
        time.sleep(max(0.0, now + _EVERY - time.monotonic()))


def _look(made: World, database: psycopg.Connection, findings: Findings, at: float) -> None:
    by_name = sampling.database_connections(database)
    connections, channels = sampling.broker_links(made.vhost)
    for name, process in made.processes.items():
        if not process.running:
            findings.ended.append(f"{name} ended with {process.wait(1)}")
            continue
        links = {"connections": float(connections[process.pid]), "channels": float(channels[process.pid])}
        held = sampling.held_by(process.pid)
        findings.add(name, at, {**held, "database": float(by_name.get(name, 0)), **links})
    findings.add("tables", at, sampling.tables(database))
    _hold(made, database)


def _hold(made: World, database: psycopg.Connection) -> None:
    """Producers rest while the others are behind: it is no test of speed."""
    hold = Path(made.env["SOAK_HOLD"])
    depths = [made.vhost.depth(f"soak.{name}") for name in ("steady", "batch", "outside", "failing")]
    if max(*depths, sampling.pending(database)) > _TOO_MUCH:
        hold.touch()
    else:
        hold.unlink(missing_ok=True)


def _shake(made: World, findings: Findings) -> None:
    """Close every connection from the server's side, of broker and database in turn: whoever connects anew may leak."""
    findings.shakes += 1
    if findings.shakes % 2:
        made.broker.close_connections(made.vhost.name)
        return
    with psycopg.connect(made.server.url, autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ANY(%s)",
            [[*DAEMONS, *PRODUCERS]],
        )


def _drain(made: World, database: psycopg.Connection, findings: Findings) -> None:
    """Let everything arrive, then stop everybody."""
    for name in PRODUCERS:
        made.stop(name)
    if not findings.ended:
        _say("draining")
        wait_for(lambda: _arrived(made, database), _DRAINED_WITHIN, every=1.0, what="everything to arrive")
    for name in DAEMONS:
        code = made.stop(name)
        if code:
            findings.ended.append(f"{name} exited with {code}")


def _arrived(made: World, database: psycopg.Connection) -> bool:
    """Whether every event has either taken effect or become a dead letter, in every consumer."""
    _count(database, findings := Findings(0, []))
    done = [count - findings.repeated[name] for name, count in findings.effects.items()]
    return len(done) == 4 and sum(done) + findings.dead == 4 * findings.committed


def _count(database: psycopg.Connection, findings: Findings) -> None:
    for name, count, events in database.execute(
        "SELECT consumer, count(*), count(DISTINCT event_id) FROM soak_effect GROUP BY 1"
    ):
        findings.effects[name], findings.repeated[name] = count, count - events
    row = database.execute(
        "SELECT (SELECT coalesce(sum(events), 0) FROM soak_committed), (SELECT count(*) FROM eventbridge_dead_letter)"
    ).fetchone()
    assert row
    findings.committed, findings.dead = int(row[0]), int(row[1])


def _say(what: str) -> None:
    sys.stderr.write(f"  {what}\n")
