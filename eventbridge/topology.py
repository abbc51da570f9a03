"""What must exist on the broker, as plain data, derived from the consumers.

RabbitMQ's rules behind each choice are in docs/reference/topology.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventbridge.consumer import Consumer

EVENTS = "eventbridge.events"
REQUEUE = "eventbridge.requeue"
LOST = "eventbridge.lost"

# Harmless on every version: 4.x defaults to 20 and then drops; 3.10 reads -1 as "drop at once".
DELIVERY_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    kind: str
    arguments: dict[str, str | int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue. ``ordered``: one active consumer, one message at a time."""

    name: str
    arguments: dict[str, str | int | bool] = field(default_factory=dict, hash=False)
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Binding:
    exchange: str
    queue: str
    key: str


@dataclass(frozen=True, slots=True)
class Topology:
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


def rung(seconds: float) -> str:
    """The name of the retry exchange and queue for that delay: ``eventbridge.retry.30s``."""
    whole = float(seconds).is_integer()
    return f"eventbridge.retry.{int(seconds)}s" if whole else f"eventbridge.retry.{round(seconds * 1000)}ms"


def queue_of(consumer: Consumer) -> Queue:
    """The consumer's own queue: named as the consumer."""
    arguments: dict[str, str | int | bool] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
    }
    if consumer.ordered:
        arguments["x-single-active-consumer"] = True
    return Queue(consumer.name, arguments, consumer.ordered)


def topology_of(consumers: Iterable[Consumer]) -> Topology:
    """Everything these consumers need: their queues and bindings, the ladder, the lost queue."""
    consumers = list(consumers)
    delays = sorted({float(delay) for c in consumers if not c.ordered for delay in c.retries})
    own = [Binding(EVENTS, c.name, key) for c in consumers for key in c.keys]
    back = [Binding(REQUEUE, c.name, c.name) for c in consumers]
    return Topology(
        exchanges=(
            Exchange(EVENTS, "topic"),
            Exchange(LOST, "fanout"),
            Exchange(REQUEUE, "direct", {"alternate-exchange": LOST}),
            *(Exchange(rung(delay), "topic") for delay in delays),
        ),
        queues=(
            Queue(LOST, {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}),
            *map(queue_of, consumers),
            *map(_rung_queue, delays),
        ),
        bindings=(
            Binding(LOST, LOST, ""),
            *own,
            *back,
            *(Binding(rung(delay), rung(delay), "#") for delay in delays),
        ),
    )


def _rung_queue(delay: float) -> Queue:
    """A fixed TTL for the whole queue: RabbitMQ expires messages at the head only."""
    return Queue(
        rung(delay),
        {
            "x-queue-type": "quorum",
            "x-message-ttl": round(delay * 1000),
            "x-dead-letter-exchange": REQUEUE,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-delivery-limit": DELIVERY_LIMIT,
        },
    )


def matches(pattern: str, key: str) -> bool:
    """Whether a topic binding ``pattern`` routes ``key``, by AMQP 0-9-1's rules.

    Words are separated by dots; ``*`` is exactly one word, ``#`` zero or more (section 3.1.3.3).
    An empty key has no words, as RabbitMQ sees it: ``*`` does not match it.
    """
    return _words_match(pattern.split(".") if pattern else [], key.split(".") if key else [])


def _words_match(pattern: list[str], words: list[str]) -> bool:
    """Dynamic programming over prefixes: linear in the product, whatever the pattern."""
    reach = [True] + [False] * len(words)
    for part in pattern:
        if part == "#":
            for i in range(1, len(reach)):
                reach[i] = reach[i] or reach[i - 1]
        else:
            steps = [reach[i] and part in ("*", words[i]) for i in range(len(words))]
            reach = [False, *steps]
    return reach[-1]
