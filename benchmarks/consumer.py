"""How fast what is in the queue is handled."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence

from benchmarks.bench import Bench, Ratio, Rig
from benchmarks.daemons import end
from benchmarks.pace import pace
from benchmarks.store.books import book
from benchmarks.ticks import Ticks
from benchmarks.world import World
from tests.services.waiting import wait_for

WORK = "bench.work"
_PROCESSES = 2
_CONSUME = ("-m", "django", "eventbridge", "consume", "benchmarks.consumers.work", "--verbosity", "0")
_CELERY = ("-m", "celery", "-A", "benchmarks.inside.celery_tasks", "worker", "--concurrency", str(_PROCESSES))
_DRAMATIQ = ("-m", "dramatiq", "benchmarks.inside.dramatiq_tasks", "--processes", str(_PROCESSES), "--threads", "8")
_SUBSCRIBE = ("-m", "django", "subscribe", "benchmarks.inside.outbox_pattern.callback.sell")


def bench(world: World, size: int = 5_000) -> Bench:
    """``size`` events for a handler that updates one by one; more for what is faster."""

    def ours(name: str, times: float = 1, processes: int = 1, **how: object) -> Rig:
        env = {f"BENCH_{key.upper()}": str(value) for key, value in how.items()}
        return Rig(name, lambda: _ours(world, int(size * times), [_CONSUME] * processes, env), "/s")

    def transport(name: str, how: str) -> Rig:
        command = ("-m", "benchmarks.inside.transport", how)
        return Rig(name, lambda: _ours(world, size * 8, [command], {}), "/s")

    def peer(project: str, name: str, task: str, times: float = 1) -> Rig:
        return Rig(name, lambda: _PEERS[project](world, int(size * times), task), "/s", project)

    rigs = [
        ours("batch=1", batch=1),
        ours("batch=100", 4, batch=100),
        ours("batch=100, one in 100 fails", 2, batch=100, handler="failing"),
        ours("concurrency=8", concurrency=8),
        ours("two processes, batch=1", 2, processes=2),
        ours("two processes, batch=100", 4, processes=2, batch=100),
        ours("no-op, batch=1", handler="ignore"),
        ours("no-op, batch=100", 4, batch=100, handler="ignore"),
        ours("5 ms, concurrency=1", 0.1, handler="wait"),
        ours("5 ms, concurrency=8", 0.8, concurrency=8, handler="wait"),
        transport("transport alone", "ours"),
        transport("bare pika", "pika"),
        peer("celery", "Celery, a process", "sell"),
        peer("celery", "Celery, a process, no-op", "ignore", 2),
        peer("dramatiq", "Dramatiq, a process", "sell", 2),
        peer("dramatiq", "Dramatiq, a process, no-op", "ignore", 4),
        peer("django-outbox-pattern", "django-outbox-pattern", "sell", 0.4),
    ]
    about = f"An inbox row and one UPDATE by the ORM for each of {size:,} events (more for what is faster)."
    settings = {
        "ours": " ".join(_CONSUME),
        "Celery": f"{' '.join(_CELERY)}, acks_late, persistent connections, no inbox; its rate by {_PROCESSES}",
        "Dramatiq": f"{' '.join(_DRAMATIQ)}, persistent connections, no inbox; its rate by {_PROCESSES}",
        "django-outbox-pattern": f"{' '.join(_SUBSCRIBE)}, with its inbox",
    }
    return Bench("consumer", about, rigs, _RATIOS, settings)


_RATIOS = [
    Ratio("batch=1 : Celery, a process", "batch=1", ["Celery, a process"], at_least=1),
    Ratio("batch=100 : Celery, a process", "batch=100", ["Celery, a process"], at_least=3),
    Ratio("batch=100 : Dramatiq, a process", "batch=100", ["Dramatiq, a process"], at_least=1),
    Ratio("transport alone : bare pika", "transport alone", ["bare pika"], at_least=0.7),
    Ratio("5 ms: concurrency=8 : concurrency=1", "5 ms, concurrency=8", ["5 ms, concurrency=1"], at_least=7),
    Ratio("batch=1 : django-outbox-pattern, which has an inbox, too", "batch=1", ["django-outbox-pattern"]),
    Ratio("batch=100, one in 100 fails : none fails", "batch=100, one in 100 fails", ["batch=100"]),
    Ratio("two processes : one, batch=1", "two processes, batch=1", ["batch=1"]),
    Ratio("two processes : one, batch=100", "two processes, batch=100", ["batch=100"]),
    Ratio("concurrency=8 : concurrency=1", "concurrency=8", ["batch=1"]),
]


def _ours(world: World, size: int, commands: Sequence[tuple[str, ...]], env: dict[str, str]) -> float:
    child = world.child("eventbridge", "eventbridge")
    child("declare", modules=["benchmarks.consumers.work"])
    world.queues.purge(WORK)
    child("fill_queue", queue=WORK, events=size)
    try:
        return _handled(world, size, "eventbridge", commands, env)
    finally:
        world.queues.delete(WORK)


def _celery(world: World, size: int, task: str) -> float:
    world.queues.declare("bench.celery", "bench.celery", exchange_type="direct", key="bench.celery")
    world.queues.purge("bench.celery")
    world.child("celery", "celery")("fill", events=size, task=task)
    return _handled(world, size, "celery", [(*_CELERY, "--loglevel", "WARNING")], {}) / _PROCESSES


def _dramatiq(world: World, size: int, task: str) -> float:
    world.child("dramatiq", "dramatiq")("fill", events=size, task=task)
    return _handled(world, size, "dramatiq", [_DRAMATIQ], {}) / _PROCESSES


def _outbox_pattern(world: World, size: int, task: str) -> float:
    """Its subscriber makes its queue; so it comes once before there is anything in it."""
    queue, key = "bench.outbox-pattern-work", "book.work"
    command = (*_SUBSCRIBE, f"/exchange/bench.outbox-pattern/{key}", queue)
    world.child("django-outbox-pattern", "outbox_pattern")
    world.queues.declare("bench.outbox-pattern", "bench.outbox-pattern", key="book.saved")
    first = world.daemon("django-outbox-pattern", *command)
    wait_for(lambda: world.queues.exists(queue), timeout=30, every=0.1, what=f"{queue}: {first.output}")
    end(first)
    world.queues.purge(queue)
    for number in range(size):
        body = json.dumps({**book(number), "book_id": number}).encode()
        world.queues.publish("bench.outbox-pattern", key, body, {"dop-msg-id": str(uuid.uuid4())})
    return _handled(world, size, "django-outbox-pattern", [command], {})


_PEERS: dict[str, Callable[[World, int, str], float]] = {
    "celery": _celery,
    "dramatiq": _dramatiq,
    "django-outbox-pattern": _outbox_pattern,
}


def _handled(world: World, size: int, project: str, commands: Sequence[tuple[str, ...]], env: dict[str, str]) -> float:
    """Start them, and count what their handlers began."""
    ticks = Ticks(world.folder / "ticks")
    started = [world.daemon(project, *command, **{**env, **ticks.env}) for command in commands]
    try:
        return pace(ticks.count, size, lambda: all(process.running for process in started))
    finally:
        for process in started:
            end(process)
