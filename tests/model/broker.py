"""A broker in memory that does whatever AMQP allows. Eventbridge's own publisher and deliveries speak to it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import Any

from pika.spec import Basic, BasicProperties

from eventbridge.errors import Unavailable
from eventbridge.topology import EVENTS, Queue, Topology, matches
from eventbridge.transports import ATTEMPT_HEADER, Message
from eventbridge.transports.rabbitmq.delivery import as_message
from eventbridge.transports.rabbitmq.ledger import Ledger


@dataclass(frozen=True)
class Stored:
    """A message in a queue."""

    exchange: str
    routing_key: str
    body: bytes
    properties: dict[str, Any]
    redelivered: bool = False

    @property
    def id(self) -> str:
        return str(self.properties.get("message_id"))

    @property
    def headers(self) -> dict[str, Any]:
        return dict(self.properties.get("headers") or {})

    @property
    def attempt(self) -> int:
        """As our own header says, where nobody forged it."""
        attempt = self.headers.get(ATTEMPT_HEADER, 1)
        return attempt if type(attempt) is int and attempt > 0 else 1


@dataclass
class Broker:
    """Exchanges, bindings and queues of a topology. ``faults``: how the next messages will be taken."""

    topology: Topology
    bound: set[str] = field(default_factory=set)
    queues: dict[str, list[Stored]] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    faults: deque[str] = field(default_factory=deque)
    arrived: list[tuple[str, str]] = field(default_factory=list)
    """(queue, id) of every message that was published to the exchange of events, in order."""
    unheard: Counter[str] = field(default_factory=Counter)
    """How often a message was taken of which its publisher did not learn."""
    nacked: set[str] = field(default_factory=set)
    opened: int = 0

    def __post_init__(self) -> None:
        self.queues = {queue.name: [] for queue in self.topology.queues}

    def route(self, exchange: str, key: str) -> list[str]:
        """The queues that want it, by AMQP's rules."""
        [found] = [e for e in self.topology.exchanges if e.name == exchange]
        meets = {"topic": matches, "direct": str.__eq__, "fanout": lambda *_: True}[found.kind]
        bindings = [b for b in self.topology.bindings if b.exchange == exchange and meets(b.key, key)]
        queues = dict.fromkeys(b.queue for b in bindings if exchange != EVENTS or b.key in self.bound)
        other = found.arguments.get("alternate-exchange")
        return self.route(str(other), key) if other and not queues else list(queues)

    def take(self, message: Stored) -> bool:
        """Put it where it belongs; whether anybody wanted it."""
        queues = self.route(message.exchange, message.routing_key)
        for queue in queues:
            self.queues[queue].append(message)
            if message.exchange == EVENTS:
                self.arrived.append((queue, message.id))
        return bool(queues)

    def expire(self) -> None:
        """So much time passes that every rung lets go of what it holds."""
        for queue in self.topology.queues:
            onwards = queue.arguments.get("x-dead-letter-exchange")
            if onwards:
                expired, self.queues[queue.name] = self.queues[queue.name], []
                for message in expired:
                    self.take(_dead_lettered(message, queue.name, str(onwards)))

    @property
    def present(self) -> list[tuple[str, Stored]]:
        """Every message with the queue that it is in, or will come back to."""
        own = {binding.queue for binding in self.topology.bindings if binding.exchange == EVENTS}
        held = [(s.queue, m) for s in self.sessions for m in s.unacked.values()]
        waiting = [(name if name in own else m.routing_key, m) for name, ms in self.queues.items() for m in ms]
        return held + waiting


def _dead_lettered(message: Stored, queue: str, exchange: str) -> Stored:
    """As RabbitMQ writes it: a count for each queue and reason, on top of whatever was there."""
    deaths = [dict(death) for death in message.headers.get("x-death", [])]
    known = [death for death in deaths if (death.get("queue"), death.get("reason")) == (queue, "expired")]
    if known:
        known[0]["count"] += 1
    else:
        deaths.insert(0, {"queue": queue, "reason": "expired", "count": 1})
    headers = {**message.headers, "x-death": deaths, "x-first-death-queue": deaths[-1].get("queue", "")}
    return replace(message, exchange=exchange, properties={**message.properties, "headers": headers})


class Session:
    """A consumer's channel. It stands where eventbridge's own Session does, with its ledger.

    Every other one is ``quick``: its thread tells the broker what was settled while the worker goes on.
    """

    def __init__(self, broker: Broker, queue: Queue, prefetch: int) -> None:
        self.queue = queue.name
        self.ledger = Ledger(lambda: None)
        self.unacked: dict[int, Stored] = {}
        self._broker = broker
        self._prefetch = prefetch
        self._tag = 0
        self._lost = False
        broker.sessions.append(self)
        broker.opened += 1
        self.quick = broker.opened % 2 == 1

    def next(self, wait: float) -> tuple[int, bool, Message] | None:
        if self._lost:
            raise Unavailable("the link was lost")
        self.flush()
        ready = self._broker.queues[self.queue]
        if not ready or len(self.unacked) >= self._prefetch:
            return None
        self._tag += 1
        message = self.unacked[self._tag] = ready.pop(0)
        self.ledger.arrived(self._tag)
        method = Basic.Deliver("", self._tag, message.redelivered, message.exchange, message.routing_key)
        return self._tag, message.redelivered, as_message(method, BasicProperties(**message.properties), message.body)

    def flush(self) -> None:
        """What was settled reaches the broker only now."""
        together, singly, back = self.ledger.carry_out()
        for tag in [tag for tag in self.unacked if tag <= together] + singly:
            del self.unacked[tag]
        self._requeue(back)

    def lose(self) -> None:
        """The link is cut: whatever the broker was not told did not happen."""
        if not self._lost:
            self._lost = True
            self.ledger.close()
            self._requeue(list(self.unacked))
            self._broker.sessions.remove(self)

    def close(self, deadline: float) -> None:
        self.flush()
        self.lose()

    def _requeue(self, tags: list[int]) -> None:
        back = [replace(self.unacked.pop(tag), redelivered=True) for tag in sorted(tags)]
        self._broker.queues[self.queue][:0] = back
