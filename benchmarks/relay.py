"""How fast what is in the outbox reaches the broker."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench, Ratio, Rig
from benchmarks.daemons import end
from benchmarks.pace import pace
from benchmarks.world import World

SINK = "bench.sink"
_EMBEDDED = "eventbridge, database:// on SQLite, two queues"
_PEERS_SHARE = 5
_DCO = (
    "-m",
    "django",
    "celery_outbox_relay",
    "--batch-size",
    "500",
    "--publish-concurrency",
    "4",
    "--idle-time",
    "0.1",
)
RELAY = ("-m", "django", "eventbridge", "relay", "--verbosity", "0")


def bench(world: World, size: int = 50_000) -> Bench:
    """``size`` pending events; the peers get a fifth, or nobody would wait for them."""
    some = max(size // _PEERS_SHARE, 1)
    rigs = [
        Rig("eventbridge", lambda: ours(world, size), "/s"),
        Rig("ceiling: py-amqp", lambda: _ours(world, size, *_ceiling("pyamqp", size)), "/s"),
        Rig("ceiling: frames encoded ahead", lambda: _ours(world, size, *_ceiling("frames", size)), "/s"),
        Rig(_EMBEDDED, lambda: _embedded(world, size), "/s"),
        Rig("django-outbox-pattern (no confirms)", lambda: _outbox_pattern(world, some), "/s", "django-outbox-pattern"),
        Rig("django-celery-outbox", lambda: _celery_outbox(world, some), "/s", "django-celery-outbox"),
        Rig("faststream-outbox", lambda: _faststream(world, some), "/s", "faststream-outbox"),
    ]
    about = f"{size:,} pending events to a durable quorum queue by one relay process; {some:,} for each peer."
    settings = {
        "ours": f"{' '.join(RELAY)}, everything as by default",
        "ceilings": "a window of 1,000 confirms, mandatory, the same bodies and properties",
        "django-celery-outbox": f"{' '.join(_DCO)}, confirm_publish on",
        "faststream-outbox": "max_workers=4, fetch_batch_size=100, terminal_flush_batch_size=100, confirms on",
        "django-outbox-pattern": "STOMP as by default: transient messages, no confirms",
        "SQLite": "WAL, synchronous=NORMAL, as our documentation advises",
    }
    return Bench("relay", about, rigs, _RATIOS, settings)


_CONFIRMING = ("django-celery-outbox", "faststream-outbox")
_RATIOS = [
    Ratio("relay : fastest peer with confirms", "eventbridge", _CONFIRMING, at_least=10),
    Ratio("relay : django-outbox-pattern (no confirms)", "eventbridge", ["django-outbox-pattern (no confirms)"]),
    Ratio("relay : py-amqp without a database", "eventbridge", ["ceiling: py-amqp"], at_least=0.6),
    Ratio("relay : frames encoded ahead (stretch)", "eventbridge", ["ceiling: frames encoded ahead"], at_least=0.6),
    Ratio("database://, two queues : RabbitMQ", _EMBEDDED, ["eventbridge"], at_least=0.15),
]


def _ceiling(how: str, size: int) -> tuple[str, ...]:
    return "-m", "benchmarks.inside.ceiling", how, str(size)


def ours(world: World, size: int, *, standbys: int = 0) -> float:
    """Our relay's rate; others may stand by meanwhile."""
    started = [world.daemon("eventbridge", *RELAY) for _ in range(standbys)]
    try:
        return _ours(world, size, *RELAY)
    finally:
        for process in started:
            end(process)


def _ours(world: World, size: int, *command: str) -> float:
    child = world.child("eventbridge", "eventbridge")
    child("declare")
    child("fill_outbox", events=size)
    return _drained(world, SINK, size, lambda: ("eventbridge", *command))


def _embedded(world: World, size: int) -> float:
    consumers = "benchmarks.consumers.sink benchmarks.consumers.sink_too"
    child = world.child("eventbridge", "eventbridge", "sqlite")
    child("declare", modules=consumers.split())
    child("fill_outbox", events=size)
    child("empty_broker")
    relay = world.daemon("eventbridge", *RELAY, database="sqlite", BENCH_CONSUMERS=consumers)
    try:
        return pace(lambda: child("routed") // 2, size, lambda: relay.running)
    finally:
        end(relay)


def _outbox_pattern(world: World, size: int) -> float:
    world.child("django-outbox-pattern", "outbox_pattern")("fill", events=size)
    world.queues.declare("bench.outbox-pattern", "bench.outbox-pattern")
    return _drained(world, "bench.outbox-pattern", size, lambda: ("django-outbox-pattern", "-m", "django", "publish"))


def _celery_outbox(world: World, size: int) -> float:
    world.child("django-celery-outbox", "celery_outbox")("fill", events=size)
    world.queues.declare("bench.celery-outbox")
    return _drained(world, "bench.celery-outbox", size, lambda: ("django-celery-outbox", *_DCO))


def _faststream(world: World, size: int) -> float:
    world.child("faststream-outbox", "faststream")("fill", events=size)
    world.queues.declare("bench.faststream", "bench.faststream")
    command = ("faststream-outbox", "-m", "benchmarks.inside.faststream", "run")
    return _drained(world, "bench.faststream", size, lambda: command)


def _drained(world: World, queue: str, size: int, command: Callable[[], tuple[str, ...]]) -> float:
    """Start it, and count what is in the queue."""
    world.queues.purge(queue)
    process = world.daemon(*command())
    try:
        return pace(lambda: world.queues.depth(queue), size, lambda: process.running)
    finally:
        end(process)
        world.queues.purge(queue)
