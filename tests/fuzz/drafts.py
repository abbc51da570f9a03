"""A message in the making: an event to be spoiled, then its bytes, then what AMQP carries beside them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from eventbridge.topology import EVENTS, REQUEUE, rung
from tests.fuzz import fields
from tests.fuzz.contracts import CONSUMERS
from tests.fuzz.fields import NOT_SHOWN, Field
from tests.fuzz.witness import digest

_ROOM = 30 * 1024
FRAME = 128 * 1024
STRUCTURED = b"application/cloudevents+json; charset=utf-8"


class Token(bytes):
    """JSON as it is to be written, whether or not it is any."""


@dataclass
class Draft:
    """What recipes change. ``prefix``: binary mode, with headers that begin so."""

    n: int
    random: Random
    consumer: str
    members: dict[str, Any]
    key: str
    exchange: str = EVENTS
    prefix: str = ""
    headers: list[tuple[bytes, Field]] = field(default_factory=list)
    crowd: int = 0
    """Bytes of one more header; it leaves no room for another one if they are ``FRAME``."""
    properties: dict[str, bytes | int] = field(default_factory=dict)
    spoil: list[Callable[[bytes], bytes]] = field(default_factory=list)
    """What is done to the body's bytes in the end."""
    copies: list[str] = field(default_factory=list)
    """Routing keys of CC and BCC."""
    recipes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, ready to go, and what is known of it beforehand."""

    n: int
    recipes: tuple[str, ...]
    exchange: str
    key: str
    body: bytes
    properties: bytes
    shown: dict[str, Any]
    """The headers that a dead letter shows. Without the broker's own."""
    content_type: str
    consumers: tuple[str, ...]
    """Whom it reaches."""
    names: dict[str, str]
    """Those of its properties that are short strings, as they are read."""

    @property
    def digest(self) -> str:
        return digest(self.body, self.shown)

    @property
    def wholesome(self) -> bool:
        """Whether nothing is the matter with it."""
        return not self.recipes


def finish(draft: Draft) -> Sent:
    body = dump(draft.members["data"] if draft.prefix else draft.members)
    for change in draft.spoil:
        body = change(body)
    properties = {"content_type": b"application/json" if draft.prefix else STRUCTURED, "delivery_mode": 2}
    properties = {**properties, **draft.properties}
    headers = _fitting([*draft.headers, *_attributes(draft)])
    if draft.crowd:
        taken = len(fields.properties({**properties, "headers": fields.table(headers)}))
        headers.insert(0, (b"crowd", fields.text("a" * min(draft.crowd, FRAME - 40 - taken))))
    readable = not any(value.unreadable for _, value in headers)
    if headers:
        properties["headers"] = fields.table(headers)
    short = {name: value.decode("utf-8", "replace") for name, value in properties.items() if isinstance(value, bytes)}
    return Sent(
        n=draft.n,
        recipes=tuple(draft.recipes),
        exchange=draft.exchange,
        key=draft.key,
        body=body,
        properties=fields.properties(properties),
        shown=_shown(headers) if readable else {},
        content_type=short["content_type"] if readable else "",
        consumers=tuple(_reached(draft)),
        names=short,
    )


def _attributes(draft: Draft) -> Iterator[tuple[bytes, Field]]:
    """In binary mode the event's attributes are headers."""
    if draft.prefix:
        for name, value in draft.members.items():
            if name != "data":
                yield f"{draft.prefix}{name}".encode("utf-8", "surrogatepass")[:255], _field(value)


def _fitting(headers: list[tuple[bytes, Field]]) -> list[tuple[bytes, Field]]:
    """Not more than a frame holds: RabbitMQ closes the connection. One of each name: RabbitMQ 4 drops the others."""
    room, fit = _ROOM, dict[bytes, Field]()
    for name, value in headers:
        room -= 1 + len(name) + len(value.wire)
        if room > 0:
            fit.setdefault(name, value)
    return list(fit.items())


def _field(value: Any) -> Field:
    if isinstance(value, Field):
        return value
    return fields.text(value if isinstance(value, str) else dump(value))


def _shown(headers: list[tuple[bytes, Field]]) -> dict[str, Any]:
    """Of two of one name the last one counts, also where that is none to be shown."""
    shown: dict[str, Any] = {}
    for raw, value in headers:
        if (name := _name(raw)) is not None:
            shown[name] = value.shown
    return {name: value for name, value in shown.items() if value is not NOT_SHOWN}


def _name(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _reached(draft: Draft) -> Iterator[str]:
    """Each consumer is bound by two keys, and by its own name where retries come back."""
    keys = {draft.key, *draft.copies}
    for consumer in CONSUMERS:
        own = {EVENTS: {f"{consumer}.paid.v1", f"{consumer}.any.v1"}}.get(draft.exchange, {consumer})
        if keys & own:
            yield consumer


def ways(consumer: str) -> list[tuple[str, str]]:
    """Exchanges that lead to a consumer's queue past its event types, and the key for each."""
    rungs = [] if consumer == "fuzz.ordered" else [(rung(0.2), consumer), (rung(0.5), consumer)]
    return [(REQUEUE, consumer), ("", consumer), *rungs]


def dump(value: Any) -> bytes:
    """JSON, with tokens that are none."""
    if isinstance(value, Token):
        return bytes(value)
    if isinstance(value, dict):
        return b"{" + b",".join(dump(name) + b":" + dump(inner) for name, inner in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(dump, value)) + b"]"
    return b"null" if isinstance(value, Field) else json.dumps(value).encode()
