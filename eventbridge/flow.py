"""Flow: the way from event types through queues to consumers, as a picture: what stands where, and how it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from eventbridge.conf import settings
from eventbridge.consumer import consumers_in
from eventbridge.event import event_types
from eventbridge.models import BrokerBinding, TrailStep
from eventbridge.models.trail import Rate
from eventbridge.status import Outbox, Process, Report
from eventbridge.topology import matches
from eventbridge.troubles import trouble_of

# The heights of cards and the gap between them, in pixels: bus.css has the same.
_TYPE, _CONSUMER, _GAP = 40, 112, 12
_What = TrailStep.What


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayNode:
    """The outbox of one database, and its relay. ``oldest`` in seconds."""

    outbox: Outbox
    state: str
    tone: str
    each_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeNode:
    """``each_second`` is None where no trail tells it. ``y``: the middle of its card, from the top."""

    name: str
    each_second: float | None
    consumers: Sequence[str]
    y: int


@dataclass(frozen=True, slots=True)
class Letters:
    """A consumer's dead letters in one database; ``replaying`` are marked for replay, or in its hands."""

    database: str
    count: int
    replaying: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerNode:
    """A queue and its consumer. ``depth`` is None where nobody tells it; ``delayed`` of these wait for
    their next attempt, and ``in_hand`` more are in its processes' hands, as far as the embedded broker tells.
    ``types`` are those that come here.

    ``mood`` is how its state is, ``tone`` how all of it is: good, busy or bad. ``trouble`` is a sentence.
    """

    name: str
    state: str
    trouble: str
    mood: str
    tone: str
    processes: int
    running: int
    depth: int | None
    delayed: int
    in_hand: int
    handled: float
    failed: float
    letters: Sequence[Letters]
    types: Sequence[str]
    y: int

    @property
    def dead(self) -> int:
        return sum(letters.count for letters in self.letters)


@dataclass(frozen=True, slots=True)
class Edge:
    """From a type's card to a consumer's; ``busy`` while events go that way."""

    kind: TypeNode
    consumer: ConsumerNode
    busy: bool

    @property
    def path(self) -> str:
        """In a picture that is 100 wide, as SVG has it."""
        return f"M0 {self.kind.y} C50 {self.kind.y} 50 {self.consumer.y} 100 {self.consumer.y}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    relays: Sequence[RelayNode]
    types: Sequence[TypeNode]
    consumers: Sequence[ConsumerNode]
    edges: Sequence[Edge]
    height: int


def flow_of(report: Report) -> Flow:
    """The picture of what a report tells; with the trail on, also of what it tells of the last minute."""
    rates = TrailStep.objects.rates() if settings.TRAIL else []
    keys = _keys(report)
    names = sorted({kind.name for kind in event_types.values()} | {rate.type for rate in rates if rate.type})
    hears = {name: [consumer for consumer in keys if _any_match(keys[consumer], name)] for name in names}
    height = max(_high(len(names), _TYPE), _high(len(keys), _CONSUMER))
    types = [
        TypeNode(name=name, each_second=_recorded(rates, name), consumers=hears[name], y=y)
        for name, y in zip(names, _middles(len(names), _TYPE, height), strict=True)
    ]
    consumers = [
        _consumer(report, name, [kind for kind in names if name in hears[kind]], y)
        for name, y in zip(keys, _middles(len(keys), _CONSUMER, height), strict=True)
    ]
    busy = {(rate.type, rate.consumer) for rate in rates}
    edges = [Edge(t, c, (t.name, c.name) in busy) for c in consumers for t in types if c.name in t.consumers]
    return Flow(relays=list(_relays(report)), types=types, consumers=consumers, edges=edges, height=height)


# --- what goes where -----------------------------------------------------------------------------


def _keys(report: Report) -> dict[str, set[str]]:
    """Every consumer that is known here, by name, with its binding keys as far as they are known."""
    found: dict[str, set[str]] = {}
    for queue, key in BrokerBinding.objects.values_list("queue", "pattern"):
        found.setdefault(queue, set()).add(key)
    for process in report.processes:
        if process.role == "consumer":
            found.setdefault(process.name, set()).update(process.figures.get("keys", ()))
    for expected in report.expected:
        keys = {key for consumer in consumers_in([expected.module]) for key in consumer.keys}
        found.setdefault(expected.name, set()).update(keys)
    for name in [queue.name for queue in report.queues] + [dead.consumer for dead in report.dead_letters]:
        found.setdefault(name, set())
    return dict(sorted(found.items()))


def _any_match(keys: Collection[str], name: str) -> bool:
    return any(matches(key, name) for key in keys)


def _recorded(rates: Sequence[Rate], name: str) -> float | None:
    if not settings.TRAIL:
        return None
    return sum(rate.each_second for rate in rates if (rate.type, rate.what) == (name, _What.RECORDED))


# --- how it does ---------------------------------------------------------------------------------


def _relays(report: Report) -> Iterator[RelayNode]:
    for outbox in report.outboxes:
        alive = [process for process in report.of("relay", outbox.database) if process.alive]
        if not (alive or outbox.pending or outbox.parked or outbox == report.outboxes[0]):
            continue
        state, tone = _state(report.of("relay", outbox.database))
        each_second = sum(pulse(process, "relayed") for process in alive)
        yield RelayNode(outbox=outbox, state=state, tone=tone, each_second=each_second)


def _consumer(report: Report, name: str, types: Sequence[str], y: int) -> ConsumerNode:
    alive = [process for process in report.of("consumer", name) if process.alive]
    dead = [found for found in report.dead_letters if found.consumer == name]
    state, mood = _state(report.of("consumer", name))
    if trouble := trouble_of(report, name):
        state, mood = trouble.state, "busy"
    failed = sum(pulse(process, "failed") for process in alive)
    return ConsumerNode(
        name=name,
        state=state,
        trouble=trouble.what if trouble else "",
        mood=mood,
        tone="busy" if mood == "good" and failed else mood,
        processes=len(alive),
        running=sum(process.figures.get("running", 0) for process in alive),
        depth=_depth(report, name, alive),
        in_hand=sum(queue.held for queue in report.queues if queue.name == name),
        delayed=sum(queue.delayed for queue in report.queues if queue.name == name),
        handled=sum(pulse(process, "handled") for process in alive),
        failed=failed,
        letters=[Letters(found.database, found.count, found.marked + found.in_hand) for found in dead],
        types=types,
        y=y,
    )


def _state(processes: Sequence[Process]) -> tuple[str, str]:
    """In words, with the reason; and good, busy or bad. One that works makes up for those that stand by."""
    states = {process.state: str(process.figures.get("why") or "") for process in processes if process.alive}
    if not states and any(process.mute for process in processes):
        return "runs, but writes no heartbeat", "bad"
    for state, tone in (("ready", "good"), ("starting", "busy"), ("paused", "busy"), ("standby", "busy")):
        if state in states:
            return state, tone
    return (": ".join(filter(None, next(iter(states.items())))), "bad") if states else ("not running", "bad")


def _depth(report: Report, name: str, alive: Sequence[Process]) -> int | None:
    """What waits in its queue, in nobody's hands: as the embedded broker's tables say, or its own processes."""
    for queue in report.queues:
        if queue.name == name:
            return queue.ready + queue.delayed
    depths = [depth for process in alive if (depth := process.figures.get("depth")) is not None]
    return max(depths, default=None)


class Pulse:
    """Rates from counters: how much they grew between two heartbeats that this process saw. Thread-safe."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str], tuple[float, float, float]] = {}
        self._lock = threading.Lock()

    def __call__(self, process: Process, counter: str) -> float:
        """By how much that counter of it grows in a second."""
        key, at = (process.process, process.name, counter), time.monotonic() - process.seen
        number = float(process.figures.get(counter, 0))
        with self._lock:
            before, since, rate = self._seen.get(key, (number, at, 0.0))
            if at - since > 1:  # another heartbeat; a smaller difference is of the two clocks
                since, before, rate = at, number, max(number - before, 0) / (at - since)
            self._seen[key] = before, since, rate
        return rate


pulse = Pulse()


# --- where it stands -----------------------------------------------------------------------------


def _high(cards: int, height: int) -> int:
    return cards * height + max(cards - 1, 0) * _GAP


def _middles(cards: int, height: int, whole: int) -> list[int]:
    """The middles of the cards of a column that stands in the middle of ``whole``."""
    top = (whole - _high(cards, height)) // 2 + height // 2
    return [top + number * (height + _GAP) for number in range(cards)]
