"""What it costs whoever writes that a commit wakes the relay."""

from __future__ import annotations

from benchmarks.bench import Bench, Ratio, Rig
from benchmarks.daemons import end
from benchmarks.relay import RELAY
from benchmarks.world import World
from tests.services.waiting import wait_for

_SCENES = {"1 writer": (1, 0.0), "8 writers": (8, 0.0), "1 writer, the relay asleep": (1, 0.08)}
"""How many write, and how long each rests before the next."""
_WAYS = {"waking": {}, "polling": {"BENCH_POLL_INTERVAL": "0.009"}}
"""A relay that is woken, and one that looks every few milliseconds and is not."""


def bench(world: World, size: int = 1_600) -> Bench:
    """``size`` saves of a bridged model, each in a transaction, while a relay runs; a tenth where it is to sleep."""
    rigs = [
        Rig(f"{scene}, {way}", lambda scene=scene, way=way: _saves(world, size, scene, way), "µs")  # type: ignore[misc]
        for scene in _SCENES
        for way in _WAYS
    ]
    ratios = [
        Ratio(f"{scene}: waking : polling", f"{scene}, waking", [f"{scene}, polling"], at_most=1.05)
        for scene in _SCENES
    ]
    about = "A save with its event, on PostgreSQL, where it wakes the relay, and where the relay looks by itself."
    return Bench("waking", about, rigs, ratios, {"fsync": "on"}, rounds=9)


def _saves(world: World, size: int, scene: str, way: str) -> float:
    writers, rest = _SCENES[scene]
    child = world.child("eventbridge", "eventbridge")
    child("declare")
    child("fill_outbox", events=1)
    process = world.daemon("eventbridge", *RELAY, **_WAYS[way])
    try:
        wait_for(lambda: child("left") == 0, timeout=60, what=f"the relay: {process.output}")
        transactions = max((size // 10 if rest else size) // writers, 8)
        return float(
            child("saves_at_once", writers=writers, transactions=transactions, rest=rest, rings=way == "waking")
        )
    finally:
        end(process)
        world.queues.delete("bench.sink")
