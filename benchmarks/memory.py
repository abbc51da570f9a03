"""What the processes weigh, and how soon they work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Bench, Ratio, Rig
from benchmarks.daemons import end
from benchmarks.pace import pace
from benchmarks.ticks import Ticks
from benchmarks.world import World
from tests.services.processes import Process
from tests.services.waiting import wait_for

_RELAY = ("-m", "django", "eventbridge", "relay", "--verbosity", "0")
_CONSUME = ("-m", "django", "eventbridge", "consume", "benchmarks.consumers.work", "--verbosity", "0")
_IDLE = 70  # MiB, with Django
_DAEMONS = {"relay": _RELAY, "consumer": _CONSUME}
_LOOKED_AT = 5.0
_CALM = 3.0  # seconds until what a start leaves behind has settled


def bench(world: World, size: int = 50_000) -> Bench:
    """``size`` events are the full load."""
    rigs = [
        Rig("relay", lambda: _relay(world, size), "MiB"),
        Rig("consumer, batch=100", lambda: _consumer(world, size), "MiB"),
        Rig("large bodies", lambda: _large(world), "MiB"),
        Rig("start", lambda: _start(world), "s"),
        Rig("idle", lambda: _idle_share(world), "% of a core"),
        Rig(
            "import",
            lambda: {what: world.child("eventbridge", "eventbridge")("imported", what=what) for what in _IMPORTS},
            "ms",
        ),
    ]
    about = f"Resident size idle and under {size:,} events; from the start to the first event; imports."
    return Bench("memory", about, rigs, _RATIOS)


_IMPORTS = ("nothing", "eventbridge", "django.setup() without eventbridge", "django.setup() with eventbridge")
_RATIOS = [
    Ratio("relay, idle, MiB", "relay, idle", at_most=_IDLE),
    Ratio("consumer, idle, MiB", "consumer, batch=100, idle", at_most=_IDLE),
    Ratio("relay, second half : first half of the load", "relay, end", ["relay, half"], at_most=1.1),
    Ratio("consumer, second half : first half", "consumer, batch=100, end", ["consumer, batch=100, half"], at_most=1.1),
]


def _relay(world: World, size: int) -> dict[str, float]:
    child = world.child("eventbridge", "eventbridge")
    child("declare")
    child("fill_outbox", events=1)
    process = world.daemon("eventbridge", *_RELAY)
    try:
        found = {"idle": _idle(process, lambda: world.queues.depth("bench.sink"))}
        world.queues.purge("bench.sink")
        child("fill_outbox", events=size)
        return found | _under_load(lambda: world.queues.depth("bench.sink"), size, process)
    finally:
        end(process)
        world.queues.delete("bench.sink")


def _consumer(world: World, size: int) -> dict[str, float]:
    child = world.child("eventbridge", "eventbridge")
    child("declare", modules=["benchmarks.consumers.work"])
    child("fill_queue", queue="bench.work", events=1)
    ticks = Ticks(world.folder / "ticks")
    process = world.daemon("eventbridge", *_CONSUME, BENCH_BATCH="100", BENCH_HANDLER="ignore", **ticks.env)
    try:
        found = {"idle": _idle(process, ticks.count)}
        child("fill_queue", queue="bench.work", events=size - 1)
        return found | _under_load(ticks.count, size, process)
    finally:
        end(process)
        world.queues.delete("bench.work")


def _large(world: World) -> dict[str, float]:
    """A hundred events of a megabyte: what both daemons weigh at most."""
    child = world.child("eventbridge", "eventbridge")
    child("declare", modules=["benchmarks.consumers.work"])
    child("fill_outbox", events=0)
    child("emit_large", events=100)
    ticks = Ticks(world.folder / "ticks")
    env = {"BENCH_CONSUMERS": "benchmarks.consumers.work", "BENCH_HANDLER": "ignore", **ticks.env}
    started = [world.daemon("eventbridge", *command, **env) for command in (_RELAY, _CONSUME)]
    try:
        most = [0.0, 0.0]
        while ticks.count() < 100:  # noqa: PLR2004
            most = [max(had, _resident(process)) for had, process in zip(most, started, strict=True)]
            time.sleep(0.02)
        return {"relay at most": most[0], "consumer at most": most[1]}
    finally:
        for process in started:
            end(process)
        world.queues.delete("bench.work")


def _idle(process: Process, first: Callable[[], int]) -> float:
    """After its first event, and some seconds of nothing."""
    wait_for(first, timeout=60, what=f"the first event: {process.output}")
    time.sleep(_CALM)
    return _resident(process)


def _under_load(done: Callable[[], int], size: int, process: Process) -> dict[str, float]:
    sizes: dict[str, float] = {}

    def look() -> int:
        so_far = done()
        if so_far:
            sizes["half" if so_far <= size // 2 else "end"] = _resident(process)
        return so_far

    pace(look, size, lambda: process.running)
    return {"half": sizes.get("half", sizes["end"]), "end": sizes["end"]}


def _start(world: World) -> dict[str, float]:
    """From the command to the first event through it."""
    child = world.child("eventbridge", "eventbridge")
    child("declare", modules=["benchmarks.consumers.work"])
    child("fill_outbox", events=0)
    child("write", events=1, rate=10)
    ticks = Ticks(world.folder / "ticks")
    env = {"BENCH_CONSUMERS": "benchmarks.consumers.work", "BENCH_HANDLER": "ignore", **ticks.env}
    began = time.monotonic()
    relay = world.daemon("eventbridge", *_RELAY, **env)
    consumer = None
    try:
        wait_for(lambda: world.queues.depth("bench.work"), timeout=60, what=f"the relay: {relay.output}")
        found = {"relay, first event": time.monotonic() - began}
        began = time.monotonic()
        consumer = world.daemon("eventbridge", *_CONSUME, **env)
        wait_for(ticks.count, timeout=60, what=f"the consumer: {consumer.output}")
        return found | {"consumer, first event": time.monotonic() - began}
    finally:
        for process in filter(None, (relay, consumer)):
            end(process)
        world.queues.delete("bench.work")


def _idle_share(world: World) -> dict[str, float]:
    """What looking for nothing costs, of one core."""
    child = world.child("eventbridge", "eventbridge")
    child("declare", modules=["benchmarks.consumers.work"])
    child("fill_outbox", events=0)
    child("write", events=1, rate=10)  # a new one: the inbox would skip one that it knows
    ticks = Ticks(world.folder / "ticks")
    env = {"BENCH_CONSUMERS": "benchmarks.consumers.work", "BENCH_HANDLER": "ignore", **ticks.env}
    started = {name: world.daemon("eventbridge", *command, **env) for name, command in _DAEMONS.items()}
    try:
        wait_for(ticks.count, timeout=60, what=f"the first event: {started['consumer'].output}")
        time.sleep(_CALM)
        before = {name: _used(process) for name, process in started.items()}
        time.sleep(_LOOKED_AT)
        return {name: (_used(process) - before[name]) / _LOOKED_AT * 100 for name, process in started.items()}
    finally:
        for process in started.values():
            end(process)
        world.queues.delete("bench.work")


def _used(process: Process) -> float:
    """Seconds of processor time."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(process: Process) -> float:
    """Resident size in MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024
