"""What a transport must do, and which one a BROKER_URL means.

Two transports exist: ``database://`` (leased rows in the Django database) and ``amqp(s)://``
(RabbitMQ). One contract test suite, ``tests/contract``, holds both to the promises below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, Protocol, cast
from urllib.parse import urlsplit

from eventbridge.topology import Queue, Topology
from eventbridge.transports.examination import Examine

STRUCTURED = "application/cloudevents+json; charset=utf-8"
ATTEMPT_HEADER = "eventbridge-attempt"

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What travels. The body is the whole event; nothing in the headers is needed to read it.

    ``destination`` is an exchange, ``id`` and ``type`` the event's, ``source`` the sender's
    (AMQP ``app_id``), ``timestamp`` in whole seconds since the epoch (0: unknown). A message that
    arrived keeps the headers and the content type it came with.
    """

    destination: str
    routing_key: str
    body: bytes
    id: str = ""
    type: str = ""
    source: str = ""
    timestamp: int = 0
    content_type: str = STRUCTURED
    headers: Mapping[str, Scalar] = field(default_factory=dict)


def scalars(headers: Mapping[Any, Any]) -> dict[str, Scalar]:
    """Headers as they arrived, plain values only: the others, and names that are no text, are dropped.

    So are numbers of more than 64 bits, which no retry could carry on: pika makes them of a double like 1e308.
    """
    plain: dict[str, Scalar] = {}
    for name, value in headers.items():
        if isinstance(name, str) and isinstance(value, (str, bool, float)):
            plain[name] = value
        elif isinstance(name, str) and isinstance(value, int) and -(2**63) <= value < 2**63:
            plain[name] = int(value)  # pika's long prints as "1L"
    return plain


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the broker said to one message.

    * ``confirmed``: it is safe in every queue that wanted it.
    * ``unroutable``: no queue wanted it.
    * ``refused``: the broker will never take it (``why`` says so): a topic permission, its size.
      (No exchange at all is Unavailable: that is not the message's fault.)
    * ``nacked``: the broker could not take it this time; try again later.
    """

    state: Literal["confirmed", "unroutable", "refused", "nacked"]
    why: str = ""


CONFIRMED = Outcome("confirmed")
UNROUTABLE = Outcome("unroutable", "no queue is bound for its type: start its consumer, then eventbridge outbox retry")
NACKED = Outcome("nacked", "the broker did not take it this time")


class Publisher(Protocol):
    """Publishes. It connects when first used and again after any doubt. Threads may share it."""

    def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Publish in order; return one outcome per message, in the same order.

        Returns within the confirm timeout. Raises :class:`~eventbridge.errors.Unavailable`, with
        the outcomes known so far, when the broker could not be asked or did not answer about all.
        """

    def depth(self, queue: str) -> int | None:
        """Messages that wait in ``queue`` (not those in a consumer's hands). None: not known."""

    @property
    def certificate_ends(self) -> float | None:
        """When the broker's certificate, as last seen, expires (seconds since the epoch). None: it showed none."""

    def close(self, deadline: float) -> None:
        """Close within ``deadline`` seconds, whatever state the link is in."""


class Delivery(Protocol):
    """One message in a consumer's hands.

    Settled once, by one of the three methods, from any thread, on the channel it came by. When
    that channel is gone, settling does nothing: the broker has already taken the message back.
    """

    @property
    def message(self) -> Message: ...

    @property
    def attempt(self) -> int:
        """1 for the first attempt; each charged retry adds one."""

    @property
    def redelivered(self) -> bool:
        """Whether somebody may have held it before and vanished: treat it as a suspect."""

    def ack(self) -> None:
        """Done: forget it."""

    def retry(self, after: float) -> None:
        """Bring it back to this queue only, ``after`` seconds (a declared rung), attempt + 1.

        It is safely stored elsewhere before it is acknowledged here. Raises
        :class:`~eventbridge.errors.Unavailable` when it could not be stored; it is unsettled then.
        """

    def release(self) -> None:
        """Hand it back at once, uncharged."""


class Subscriber(Protocol):
    """Consumes one queue. One thread iterates and closes it; deliveries settle from any thread."""

    def deliveries(self, wait: float) -> Iterator[Delivery | None]:
        """Yield what arrives, and ``None`` after each ``wait`` seconds in which nothing did.

        At most ``prefetch`` deliveries are unsettled at a time. Never ends by itself: raises
        :class:`~eventbridge.errors.Unavailable` when the link is lost or the queue is gone.
        """

    def close(self, deadline: float) -> None:
        """Take nothing new, wait for what is held to be settled, hand the rest back, close.

        Returns within ``deadline`` seconds. Call it in the thread that iterates.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a transport needs to know of the settings, with their defaults. Times in seconds."""

    url: str
    app_id: str = ""
    name: str = "eventbridge"
    confirm_timeout: float = 6.0
    heartbeat: int = 10
    connect_timeout: float = 5.0
    tls: Mapping[str, str] = field(default_factory=dict)


class Transport(Protocol):
    """What the module of each transport offers, by these names."""

    @property
    def Publisher(self) -> Callable[[Options], Publisher]: ...  # noqa: N802

    @property
    def Subscriber(self) -> MakeSubscriber: ...  # noqa: N802

    @property
    def declare(self) -> Callable[[Options, Topology], None]:
        """Create what is missing. Raises TopologyMismatch where something is there, but other."""

    @property
    def missing(self) -> Callable[[Options, Topology], list[str]]:
        """What ``declare`` would create, one line each; needs no right to create."""

    @property
    def examine(self) -> Examine:
        """What is the matter with the broker, for this topology and this user. Raises Unavailable."""


class MakeSubscriber(Protocol):
    """A subscriber of ``queue``; what it retries is published by ``retries``."""

    def __call__(self, options: Options, queue: Queue, *, prefetch: int, retries: Publisher) -> Subscriber: ...


_MODULES = {
    "database": "eventbridge.transports.database",
    "amqp": "eventbridge.transports.rabbitmq",
    "amqps": "eventbridge.transports.rabbitmq",
}

SCHEMES = tuple(_MODULES)


def transport(url: str) -> Transport:
    """The module that speaks the scheme of ``url``. Loaded here, and only here, by name.

    Raises ``ValueError`` for a scheme that nobody speaks.
    """
    scheme = urlsplit(url).scheme
    if scheme not in _MODULES:
        raise ValueError(f"BROKER_URL begins with {scheme!r}; it must be one of {', '.join(SCHEMES)}")
    return cast("Transport", import_module(_MODULES[scheme]))
