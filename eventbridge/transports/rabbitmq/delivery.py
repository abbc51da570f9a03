"""Delivery: a message as it came from RabbitMQ, in somebody's hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pika.spec import Basic, BasicProperties

from eventbridge.errors import TopologyMismatch, Unavailable
from eventbridge.topology import rung
from eventbridge.transports import ATTEMPT_HEADER, Message, Publisher, Scalar, scalars
from eventbridge.transports.rabbitmq.connection import APPLY
from eventbridge.transports.rabbitmq.ledger import Ledger

_MOST_ATTEMPTS = 1_000_000
_LONGEST_NAME = 255  # bytes of a short string
_HEADERS = 64 * 1024  # bytes: a header frame is never split, and RabbitMQ's are of 128 KiB
_END_OF_TIME = 253_402_300_800  # the year 10,000
# The broker's own notes on a message: as headers of a new one they would be forgeries, and CC and
# BCC would send copies elsewhere.
_NOT_OURS = {"x-death", "CC", "BCC", "x-delivery-count", "x-acquired-count"}
_NOT_OURS_EITHER = ("x-first-death-", "x-last-death-", "x-opt-")


class RabbitDelivery:
    """See the contract: settled once, from any thread, on the channel it came by."""

    __slots__ = ("_ledger", "_queue", "_retries", "_tag", "attempt", "message", "redelivered")

    def __init__(
        self, message: Message, tag: int, redelivered: bool, ledger: Ledger, queue: str, retries: Publisher
    ) -> None:
        self.message = message
        self.redelivered = redelivered
        self.attempt = _attempt(message.headers)
        self._tag = tag
        self._ledger = ledger
        self._queue = queue
        self._retries = retries

    def ack(self) -> None:
        if self._ledger.claim(self._tag):
            self._ledger.settle(self._tag, requeue=False)

    def release(self) -> None:
        if self._ledger.claim(self._tag):
            self._ledger.settle(self._tag, requeue=True)

    def retry(self, after: float) -> None:
        """As the contract says. Raises TopologyMismatch where that rung is not on the broker."""
        if not self._ledger.claim(self._tag):
            return
        try:
            self._store(after)
        except BaseException:
            self._ledger.unclaim(self._tag)
            raise
        self._ledger.settle(self._tag, requeue=False)

    def _store(self, after: float) -> None:
        """The routing key is this queue's own name: that is the way back from the ladder, to it alone."""
        headers = {name: value for name, value in self.message.headers.items() if not _broker_header(name)}
        headers[ATTEMPT_HEADER] = self.attempt + 1
        again = replace(self.message, destination=rung(after), routing_key=self._queue, headers=headers)
        [outcome] = self._retries.publish([again])
        if outcome.state == "nacked":
            raise Unavailable(f"{rung(after)}: {outcome.why}")
        if outcome.state != "confirmed":
            why = "no queue is bound to it" if outcome.state == "unroutable" else outcome.why
            raise TopologyMismatch(f"{rung(after)} does not take retries ({why}): {APPLY}")


def _broker_header(name: str) -> bool:
    return name in _NOT_OURS or name.startswith(_NOT_OURS_EITHER)


def _attempt(headers: Mapping[str, Scalar]) -> int:
    """Our own header only, and only if it is a sane one: anybody may have written it."""
    value = headers.get(ATTEMPT_HEADER)
    sane = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return min(int(value), _MOST_ATTEMPTS) if sane else 1  # type: ignore[arg-type]


def as_message(method: Basic.Deliver, properties: BasicProperties, body: bytes) -> Message:
    """What pika delivers, with nothing in it that only pika knows."""
    return Message(
        destination=_text(method.exchange),
        routing_key=_text(method.routing_key),
        body=body,
        id=_text(properties.message_id),
        type=_text(properties.type),
        source=_text(properties.app_id),
        timestamp=_time(properties.timestamp),
        content_type=_text(properties.content_type),
        headers=_headers(properties.headers or {}),
    )


def _text(value: Any) -> str:
    """pika leaves bytes where a name is not UTF-8 (pika/data.py, decode_short_string).

    No longer than it came, or no retry could carry it: every replacement takes three bytes.
    """
    if isinstance(value, bytes):
        readable = value.decode("utf-8", "replace").encode()
        return readable[:_LONGEST_NAME].decode("utf-8", "ignore")
    return value or ""


def _headers(headers: Mapping[Any, Any]) -> dict[str, Scalar]:
    """The plain ones. Where they fill a frame, which leaves no room for our count, the shortest of them."""
    plain = scalars(headers)
    room = _HEADERS - sum(map(_size, plain.items()))
    for header in sorted(plain.items(), key=_size, reverse=True) if room < 0 else ():
        del plain[header[0]]
        room += _size(header)
        if room >= 0:
            break
    return plain


def _size(header: tuple[str, Scalar]) -> int:
    name, value = header
    return len(name.encode()) + (len(value.encode()) if isinstance(value, str) else 8) + 6


def _time(seconds: int | None) -> int:
    """0 for what is later than any date."""
    return int(seconds) if seconds and seconds < _END_OF_TIME else 0
