"""Event: CloudEvents 1.0 context and typed data, and the types of events.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md. No Django here: another
service may import its contracts with nothing but this module and msgspec.
"""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import os
import re
import time as clock
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast, dataclass_transform

import msgspec

from eventbridge.errors import MalformedMessage
from eventbridge.values import are_unbent, as_text

T = TypeVar("T")

# Dot-separated words, as a routing key wants them; AMQP allows 255 bytes.
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
LONGEST_ATTRIBUTE = 255

cause: ContextVar[Event[Any] | None] = ContextVar("cause", default=None)
"""The event that is being handled here and now, if any: what is emitted meanwhile carries it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EventType:
    """What ``@event_type`` knows of a payload class."""

    name: str
    payload: type[Any]
    key: str | None
    mandatory: bool

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self.payload)

    @property
    def description(self) -> str:
        """The class's own docstring; empty where there is only what ``dataclass`` writes."""
        doc = inspect.getdoc(self.payload) or ""
        return "" if doc.startswith(f"{self.payload.__name__}(") else doc

    @cached_property
    def is_unbent(self) -> bool:
        """Whether a payload that is read as it was written needs no closer look."""
        return are_unbent(self.payload)

    @cached_property
    def values(self) -> Callable[[Any], Any]:
        """What a payload holds, field by field: a class may compare less, or in its own way."""
        names = [field.name for field in dataclasses.fields(self.payload)]
        return attrgetter(*names) if names else lambda _: None

    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of ``data``."""
        return msgspec.json.schema(self.payload)


event_types: dict[type[Any], EventType] = {}
"""Every payload class there is, in the order of their definition."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def event_type(name: str, *, key: str | None = None, mandatory: bool = True) -> Callable[[type[T]], type[T]]:
    """Make a class the payload of events of type ``name``.

    The class becomes a frozen, slotted, keyword-only dataclass. ``name`` is CloudEvents' ``type``
    and the routing key; end it in a version (``shop.order.paid.v1``) and begin a new one on a
    breaking change only. ``key`` names the field whose value events are ordered by. With
    ``mandatory=False`` an event that no queue wants is counted and done, instead of parked.

    Raises ``ValueError`` for a name that cannot be routed or a key that is no field.
    """
    if not isinstance(name, str):
        raise TypeError("@event_type takes the type's name: @event_type('shop.order.paid.v1')")
    if not _NAME.fullmatch(name) or len(name) > LONGEST_ATTRIBUTE:
        raise ValueError(f"event type {name!r}: use words of A-Z, a-z, 0-9, - and _ with dots between")

    def declare(cls: type[T]) -> type[T]:
        if hasattr(cls, "_meta"):
            raise TypeError(f"{cls.__name__} is a model: write a class of its own for what the event says")
        payload = dataclasses.dataclass(frozen=True, slots=True, kw_only=True)(cls)
        fields = [field.name for field in dataclasses.fields(payload)]  # type: ignore[arg-type]
        if key is not None and key not in fields:
            raise ValueError(f"event type {name!r}: key={key!r} is none of its fields ({', '.join(fields)})")
        event_types[payload] = EventType(name=name, payload=payload, key=key, mandatory=mandatory)
        return payload

    return declare


def event_type_of(payload: type[Any]) -> EventType:
    """The event type of a payload class. Raises ``TypeError`` if it has none."""
    try:
        return event_types[payload]
    except (KeyError, TypeError):
        name = getattr(payload, "__qualname__", repr(payload))
        raise TypeError(f"{name} is no event: decorate the class with @event_type(…)") from None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event(Generic[T]):
    """One event: the attributes of CloudEvents 1.0, by their names, and ``data``.

    ``time`` is when it happened, in UTC; ``sequence`` is the outbox's order, zero-padded so that it
    sorts as text. Receivers deduplicate on (``source``, ``id``).
    """

    id: str
    source: str
    type: str
    data: T
    time: datetime | None = None
    subject: str | None = None
    partitionkey: str | None = None
    sequence: str | None = None
    dataschema: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None

    @classmethod
    def about(cls, data: T, *, source: str, time: datetime | None = None, schemas: str = "") -> Event[T]:
        """A new event about ``data``, with its context filled in, and its cause if there is one."""
        kind = event_type_of(type(data))
        value = getattr(data, kind.key) if kind.key else None
        subject = None if value is None else as_text(value)
        because = cause.get()
        return cls(
            id=uuid7(),
            source=source,
            type=kind.name,
            time=time or datetime.now(UTC),
            subject=subject,
            partitionkey=None if subject is None else f"{kind.key}:{subject}",
            dataschema=f"{schemas}{kind.name}.json" if schemas else None,
            correlationid=(because.correlationid or because.id) if because else None,
            causationid=because.id if because else None,
            traceparent=because.traceparent if because else None,
            data=data,
        )

    def read_as(self, payload: builtins.type[Any] | None) -> Event[Any]:
        """This event, as read from a message, with its raw data made a ``payload``.

        ``None`` makes it plain JSON. Raises MalformedMessage, naming the field that does not fit.
        """
        decoder = event_type_of(payload).decoder if payload else _PLAIN
        try:
            return dataclasses.replace(self, data=decoder.decode(cast("msgspec.Raw", self.data)))
        except Exception as error:  # a payload's own __post_init__ may raise anything
            raise MalformedMessage(f"data does not fit {self.type}: {str(error) or type(error).__name__}") from error


_PLAIN = msgspec.json.Decoder()


_VERSION_7 = 0x7 << 76 | 0x2 << 62  # and variant
_RANDOM = ~(0xF << 76 | 0x3 << 62)


def uuid7() -> str:
    """A UUID that sorts by time (RFC 9562, section 5.7)."""
    milliseconds = clock.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    text = f"{value & _RANDOM | _VERSION_7:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def emitted_at(event_id: str) -> float:
    """When one of our own ids was made: seconds since the epoch, by the clock of whoever emitted."""
    return int(event_id[:13].replace("-", ""), 16) / 1000
