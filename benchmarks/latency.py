"""How long after the commit a handler begins."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Bench, Ratio, Rig
from benchmarks.daemons import end
from benchmarks.ticks import Ticks
from benchmarks.world import World
from tests.services.processes import Process
from tests.services.waiting import wait_for

_IDLE, _BUSY = 4, 200  # events a second
_SHARE = 5
_CONSUMERS = {"BENCH_CONSUMERS": "benchmarks.consumers.work", "BENCH_HANDLER": "ignore"}
_RELAY = ("-m", "django", "eventbridge", "relay", "--verbosity", "0")
_CONSUME = ("-m", "django", "eventbridge", "consume", "benchmarks.consumers.work", "--verbosity", "0")
_CELERY = ("-m", "celery", "-A", "benchmarks.inside.celery_tasks", "worker", "--concurrency", "2")


def bench(world: World, size: int = 1_000) -> Bench:
    """``size`` events at 200 a second; and when it is idle a fifteenth of them, one by one."""

    def ours(name: str, database: str) -> Rig:
        return Rig(name, lambda: _ours(world, size, database), "ms")

    rigs = [
        ours("eventbridge", "postgresql"),
        ours("eventbridge, database:// on SQLite", "sqlite"),
        Rig("Celery delay_on_commit", lambda: _celery(world, size), "ms", "celery"),
    ]
    settings = {"idle": f"{_IDLE} events/s at random", "busy": f"{_BUSY} events/s"}
    return Bench("latency", "From the commit to the handler's first line.", rigs, list(_ratios()), settings)


def _ratios() -> Sequence[Ratio]:
    goals = {"p50": 1.5, "p99": 3.0}
    found = []
    for when in ("idle", "busy"):
        for what, goal in goals.items():
            ours, celery = (f"{name}, {when} {what}" for name in ("eventbridge", "Celery delay_on_commit"))
            found.append(Ratio(f"eventbridge : Celery, {when} {what}", ours, [celery], at_most=goal))
        ours, sqlite = (f"eventbridge{where}, {when} p50" for where in ("", ", database:// on SQLite"))
        found.append(Ratio(f"database:// on SQLite : RabbitMQ, {when} p50", sqlite, [ours], at_most=5))
    return found


def _ours(world: World, size: int, database: str) -> dict[str, float]:
    child = world.child("eventbridge", "eventbridge", database)
    child("declare", modules=["benchmarks.consumers.work"])
    child("empty_everything")
    ticks = Ticks(world.folder / "ticks")
    env = {**_CONSUMERS, **ticks.env}
    started = [world.daemon("eventbridge", *command, database=database, **env) for command in (_RELAY, _CONSUME)]
    try:
        return _latencies(child, ticks, started, size)
    finally:
        for process in started:
            end(process)
        if database == "postgresql":
            world.queues.delete("bench.work")


def _celery(world: World, size: int) -> dict[str, float]:
    world.queues.declare("bench.celery", "bench.celery", exchange_type="direct", key="bench.celery")
    world.queues.purge("bench.celery")
    child = world.child("celery", "celery")
    ticks = Ticks(world.folder / "ticks")
    started = [world.daemon("celery", *_CELERY, "--loglevel", "WARNING", **ticks.env)]
    try:
        return _latencies(child, ticks, started, size)
    finally:
        end(started[0])


def _latencies(child: object, ticks: Ticks, started: Sequence[Process], size: int) -> dict[str, float]:
    """Once everything is warm: idle first, then at a rate."""
    assert callable(child)  # noqa: S101 it is a Child
    child("write", events=5, rate=_IDLE)
    wait_for(lambda: ticks.count() >= 5, timeout=60, what=f"{started[-1].output[-500:]}")  # noqa: PLR2004
    found: dict[str, float] = {}
    for when, events, rate in (("idle", max(size // _SHARE // 3, 5), _IDLE), ("busy", size, _BUSY)):
        before = ticks.count()
        committed = dict(child("write", events=events, rate=rate))
        wait_for(lambda total=before + events: ticks.count() >= total, timeout=60, what="the last event")  # type: ignore[misc]
        taken = sorted((at - committed[n]) * 1000 for n, at in ticks.read()[before:] if n in committed)
        found |= {f"{when} p50": taken[len(taken) // 2], f"{when} p99": taken[int(len(taken) * 0.99)]}
    return found
