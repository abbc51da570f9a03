"""What grows with what: the backlog, standbys, consumers, types and queues."""

from __future__ import annotations

from benchmarks import relay
from benchmarks.bench import Bench, Ratio, Rig
from benchmarks.daemons import end
from benchmarks.pace import pace
from benchmarks.ticks import Ticks
from benchmarks.world import World

_CONSUME = ("-m", "django", "eventbridge", "consume", "benchmarks.consumers.work", "--verbosity", "0")
_CONSUMERS = (1, 2, 4)
_WIDE = {"BENCH_CONSUMERS": "benchmarks.consumers.wide"}


def bench(world: World, size: int = 1_000_000) -> Bench:
    """Backlogs of 1,000 up to ``size``, each ten times the one before."""
    backlogs = [10**power for power in range(3, 8) if 10**power <= size] or [size]
    some = min(50_000, size)
    rigs = [Rig(f"backlog of {n:,}", lambda n=n: relay.ours(world, n), "/s") for n in backlogs]  # type: ignore[misc]
    rigs += [
        Rig("one relay", lambda: relay.ours(world, some), "/s"),
        Rig("one relay and a standby", lambda: relay.ours(world, some, standbys=1), "/s"),
        Rig("100 types into 50 queues", lambda: _wide(world, some // 5), "/s"),
    ]
    rigs += [
        Rig(f"{n} consumer process{'es' if n > 1 else ''}", lambda n=n: _consumers(world, some // 5, n), "/s")  # type: ignore[misc]
        for n in _CONSUMERS
    ]
    # Not with the smallest: that is one batch of the relay, whose SELECT and DELETE its pace leaves out.
    several = backlogs[1:]
    ratios = [
        Ratio(f"backlog of {n:,} : of {several[0]:,}", f"backlog of {n:,}", [f"backlog of {several[0]:,}"])
        for n in several[1:]
    ]
    ratios += [
        Ratio("one relay and a standby : one", "one relay and a standby", ["one relay"], at_least=0.95),
        Ratio("100 types into 50 queues : one into one", "100 types into 50 queues", ["one relay"]),
    ]
    if size >= 10**6:
        ratios.append(Ratio("a million : fifty thousand", "backlog of 1,000,000", ["one relay"], at_least=0.8))
    return Bench("growth", "Relay and consumers (batch=100) with more of everything.", rigs, ratios)


def _wide(world: World, size: int) -> float:
    """Every event goes to one of fifty queues, two types for each."""
    child = world.child("eventbridge", "eventbridge")
    child("declare", modules=["benchmarks.consumers.wide"])
    child("emit_wide", events=size)
    from benchmarks.wide import QUEUES, queue

    names = [queue(number) for number in range(QUEUES)]
    process = world.daemon("eventbridge", *relay.RELAY, **_WIDE)
    try:
        return pace(lambda: size - child("left"), size, lambda: process.running)
    finally:
        end(process)
        for name in names:
            world.queues.delete(name)


def _consumers(world: World, size: int, processes: int) -> float:
    child = world.child("eventbridge", "eventbridge")
    child("declare", modules=["benchmarks.consumers.work"])
    child("fill_queue", queue="bench.work", events=size)
    ticks = Ticks(world.folder / "ticks")
    started = [world.daemon("eventbridge", *_CONSUME, BENCH_BATCH="100", **ticks.env) for _ in range(processes)]
    try:
        return pace(ticks.count, size, lambda: all(process.running for process in started))
    finally:
        for process in started:
            end(process)
        world.queues.delete("bench.work")
