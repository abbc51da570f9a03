"""The wire: how an event is written as CloudEvents' JSON format, and read, in either mode.

Frozen by the golden files in tests/wire. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/
formats/json-format.md, and bindings/amqp-protocol-binding.md for the binary mode. No Django here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec

from eventbridge.errors import InvalidEvent, MalformedMessage
from eventbridge.event import LONGEST_ATTRIBUTE, Event, event_type_of
from eventbridge.transports import Message
from eventbridge.values import Hook, check_values, explain, plain

SPECVERSION = "1.0"
_JSON = "application/json"


class _Envelope(msgspec.Struct, omit_defaults=True):
    """The members of a structured-mode event, in the order in which they are written."""

    specversion: str
    id: str
    source: str
    type: str
    time: datetime | None = None
    subject: str | None = None
    datacontenttype: str | None = None
    partitionkey: str | None = None
    sequence: str | None = None
    dataschema: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_base64: bytes | None = None


_CONTEXT = [field.name for field in dataclasses.fields(Event) if field.name != "data"]
_context = attrgetter(*_CONTEXT)
_ENVELOPE = msgspec.json.Decoder(_Envelope)


def encode(event: Event[Any], hook: Hook = plain) -> bytes:
    """The event as CloudEvents' JSON format, without ``sequence``: the relay puts that in front.

    Encoding does not validate, so the bytes are read once against the type. ``hook`` turns a value
    that JSON does not know (a lazy string) into one that it knows. Raises InvalidEvent, naming the field.
    """
    kind = event_type_of(type(event.data))
    try:
        received = kind.decoder.decode(msgspec.json.encode(event.data, enc_hook=hook))
        if not (kind.is_unbent and kind.values(event.data) == kind.values(received)):
            check_values(event.data, received, hook)
        # As a reader got it: an int in a Decimal's place is a Decimal by now.
        envelope = _envelope(event, received)
        _validate(envelope)
        return msgspec.json.encode(envelope)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidEvent(f"{kind.name}: {explain(error, event.data, hook)}") from error


def _envelope(event: Event[Any], data: Any) -> _Envelope:
    return _Envelope(
        specversion=SPECVERSION,
        id=event.id,
        source=event.source,
        type=event.type,
        time=_rfc3339(event.time),  # type: ignore[arg-type]
        subject=event.subject,
        datacontenttype=_JSON,
        partitionkey=event.partitionkey,
        sequence=event.sequence,
        dataschema=event.dataschema,
        correlationid=event.correlationid,
        causationid=event.causationid,
        traceparent=event.traceparent,
        data=data,
    )


def _rfc3339(time: datetime | None) -> datetime | str:
    """In UTC, always with microseconds: some readers' formats are fixed."""
    if time is None or time.tzinfo is None:
        raise ValueError("time must know its time zone")
    if time.tzinfo is UTC and time.microsecond:
        return time  # msgspec writes it so by itself
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def with_sequence(body: bytes, sequence: int) -> bytes:
    """``body`` with the ``sequence`` attribute in front: no need to parse it."""
    return b'{"sequence":"%020d",%b' % (sequence, body[1:])


def decode(message: Message) -> Event[msgspec.Raw]:
    """Read a message, in structured or binary mode; ``data`` stays raw until ``read_as``.

    Raises MalformedMessage, saying what is wrong with it.
    """
    kind = message.content_type.lower()
    try:
        structured = kind.startswith("application/cloudevents")
        envelope = _ENVELOPE.decode(message.body) if structured else _binary(message)
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError) as error:
        raise MalformedMessage(f"not a CloudEvent: {error}") from error
    _validate(envelope)
    data = envelope.data if envelope.data_base64 is None else msgspec.Raw(envelope.data_base64)
    return Event(**dict(zip(_CONTEXT, _context(envelope), strict=True)), data=data)


_PREFIXES = ("cloudEvents_", "cloudEvents:", "ce-")


def _binary(message: Message) -> _Envelope:
    """The attributes are headers; the body is the data (the AMQP bindings' binary mode)."""
    found = {prefix: _attributes(message.headers, prefix) for prefix in _PREFIXES}
    modes = [attributes for attributes in found.values() if attributes]
    if len(modes) != 1:
        why = "no CloudEvents attributes" if not modes else "CloudEvents attributes with two prefixes"
        raise MalformedMessage(f"not a CloudEvent: {why} (content type {message.content_type!r})")
    attributes = {**modes[0], "datacontenttype": message.content_type or None}
    if isinstance(attributes.get("time"), int):
        attributes["time"] /= 1000  # AMQP 1.0's timestamps are milliseconds
    return msgspec.convert({**attributes, "data": msgspec.Raw(message.body or b"null")}, _Envelope, strict=False)


def _attributes(headers: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    low = prefix.lower()
    return {k[len(prefix) :].lower(): v for k, v in headers.items() if k.lower().startswith(low)}


def _validate(envelope: _Envelope) -> None:
    """The rules of the specification, and what a database can hold as text."""
    if envelope.specversion != SPECVERSION:
        raise MalformedMessage(f"specversion {envelope.specversion!r}: only {SPECVERSION} is understood")
    if envelope.datacontenttype != _JSON and not _is_json(envelope.datacontenttype or _JSON):
        raise MalformedMessage(f"datacontenttype {envelope.datacontenttype!r}: only JSON is understood")
    if isinstance(envelope.time, datetime) and envelope.time.tzinfo is None:
        raise MalformedMessage("time must know its time zone")
    for name, value in zip(_CONTEXT, _context(envelope), strict=True):
        if isinstance(value, str) and not _can_be_kept(value):
            raise MalformedMessage(f"{name} is longer than {LONGEST_ATTRIBUTE}, or holds a NUL or half a character")
        if not value and name in ("id", "source", "type"):
            raise MalformedMessage(f"{name} is empty")


def _is_json(content_type: str) -> bool:
    content = content_type.lower().partition(";")[0].strip()
    return content == _JSON or content.endswith("+json")


def _can_be_kept(text: str) -> bool:
    """Whether any database holds it. A lone surrogate, half a character, comes from headers only."""
    return len(text) <= LONGEST_ATTRIBUTE and "\x00" not in text and (text.isascii() or _is_unicode(text))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
