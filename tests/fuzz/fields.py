"""AMQP's properties and field tables, written as no well-behaved client would: any type, any bytes, any depth."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

NOT_SHOWN = object()
"""A value that is no plain one: the daemon drops it."""
ABOUT = object()
"""A number that may be shown rounded."""

_NUMBERS = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q"}
_FLAGS = {
    "content_type": 15, "content_encoding": 14, "headers": 13, "delivery_mode": 12, "priority": 11,
    "correlation_id": 10, "reply_to": 9, "expiration": 8, "message_id": 7, "timestamp": 6, "type": 5,
    "user_id": 4, "app_id": 3, "cluster_id": 2,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """A value as it travels, and as a dead letter shows it. ``unreadable``: pika cannot read the headers at all."""

    wire: bytes
    shown: Any = NOT_SHOWN
    unreadable: bool = False


def text(value: str | bytes) -> Field:
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    try:
        shown: Any = raw.decode()
    except UnicodeDecodeError:
        shown = NOT_SHOWN
    return Field(b"S" + struct.pack(">I", len(raw)) + raw, shown)


def number(kind: str, value: int) -> Field:
    return Field(kind.encode() + struct.pack(_NUMBERS[kind], value), value)


def real(kind: str, value: float) -> Field:
    """``f`` or ``d``. pika makes a whole number of it."""
    return Field(kind.encode() + struct.pack(f">{kind}", value), ABOUT)


def truth(value: bool) -> Field:
    return Field(b"t" + bytes([value]), value)


def moment(seconds: int) -> Field:
    """Python's dates end with the year 9999."""
    return Field(b"T" + struct.pack(">Q", seconds), unreadable=seconds >= 253_402_300_800)


def decimal(places: int, digits: int) -> Field:
    return Field(b"D" + struct.pack(">Bi", places, digits))


def raw(value: bytes) -> Field:
    return Field(b"x" + struct.pack(">I", len(value)) + value)


def void() -> Field:
    return Field(b"V")


def array(fields: Iterable[Field]) -> Field:
    inner = list(fields)
    wire = b"".join(field.wire for field in inner)
    return Field(b"A" + struct.pack(">I", len(wire)) + wire, unreadable=any(field.unreadable for field in inner))


def nested(fields: Iterable[tuple[bytes, Field]]) -> Field:
    inner = list(fields)
    return Field(b"F" + table(inner), unreadable=any(field.unreadable for _, field in inner))


def deep(depth: int) -> Field:
    """Tables in tables. pika reads them by recursion."""
    wire = b""
    for _ in range(depth):
        wire = b"\x01tF" + struct.pack(">I", len(wire)) + wire
    return Field(b"F" + struct.pack(">I", len(wire)) + wire, unreadable=depth > 300)


def table(fields: Iterable[tuple[bytes, Field]]) -> bytes:
    wire = b"".join(bytes([len(name)]) + name + field.wire for name, field in fields)
    return struct.pack(">I", len(wire)) + wire


def properties(values: Mapping[str, bytes | int]) -> bytes:
    """The property list of a content header. ``headers`` is the table, encoded."""
    flags, parts = 0, []
    for name, bit in _FLAGS.items():
        if name in values:
            flags |= 1 << bit
            parts.append(_property(name, values[name]))
    return struct.pack(">H", flags) + b"".join(parts)


def _property(name: str, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return struct.pack(">Q" if name == "timestamp" else ">B", value)
    return value if name == "headers" else bytes([len(value)]) + value
