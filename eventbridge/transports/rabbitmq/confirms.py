"""A channel in confirm mode that knows, by delivery tag, what the broker still owes it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from time import monotonic
from typing import Any

import amqp
from amqp.exceptions import FrameSyntaxError
from amqp.method_framing import frame_writer

from eventbridge.transports import CONFIRMED, NACKED, UNROUTABLE, Message, Outcome

_CHUNK = 32 * 1024


class Unencodable(ValueError):
    """A message that does not fit AMQP's frames (a name of over 255 bytes). Nothing was sent."""


class FrameBuffer:
    """py-amqp's frame writer, sending what is published by the chunk: a system call each is dear.

    Every other method goes out at once, after what waits. Given to py-amqp as ``frame_writer``.
    """

    def __init__(self, connection: amqp.Connection, transport: Any) -> None:
        self._transport = transport
        self._waiting = bytearray()
        self._encode = frame_writer(connection, self)

    def __call__(self, kind: int, channel: int, method: Any, arguments: Any, content: Any) -> None:
        before = len(self._waiting)
        try:
            self._encode(kind, channel, method, arguments, content)
        except (FrameSyntaxError, struct.error, ValueError, TypeError, AttributeError) as error:
            del self._waiting[before:]
            raise Unencodable(str(error)) from error
        if content is None or len(self._waiting) >= _CHUNK:
            self.flush()

    def write(self, frame: memoryview) -> None:
        """What py-amqp's writer takes for the socket."""
        self._waiting += frame

    def flush(self) -> None:
        """Send what waits. Raises what the link raises."""
        chunk, self._waiting = self._waiting, bytearray()
        if chunk:
            self._transport.write(chunk)


class ConfirmChannel:
    """Publishes, and reports an outcome for each message by the slot that it was given.

    ``report(slot, outcome)`` is called while frames are read. The broker's errors on the channel
    come out of :meth:`read` as ``amqp.ChannelError``; the channel is of no use then: py-amqp has
    opened it again, with tags that begin anew and without confirm mode (amqp/channel.py, _do_revive).
    """

    def __init__(self, connection: amqp.Connection, report: Callable[[int, Outcome], None]) -> None:
        self._connection = connection
        self._report = report
        self._tag = 0
        self._waiting: dict[int, tuple[int, Message]] = {}
        self._returned: set[int] = set()
        self._last_returned = 0
        self._channel = connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)

    def __len__(self) -> int:
        """How many messages wait for their confirm."""
        return len(self._waiting)

    @property
    def slots(self) -> list[int]:
        """The slots that wait, in the order of publishing."""
        return [slot for slot, _ in self._waiting.values()]

    def publish(self, slot: int, message: Message) -> None:
        """Send, or keep until :meth:`flush`. Raises Unencodable, or what the link raises."""
        try:
            self._channel.basic_publish(_as_amqp(message), message.destination, message.routing_key, mandatory=True)
        except (FrameSyntaxError, struct.error) as error:
            raise Unencodable(str(error)) from error
        self._tag += 1
        self._waiting[self._tag] = (slot, message)

    def flush(self) -> None:
        """Send what is kept."""
        self._connection.frame_writer.flush()

    def read(self, until: float) -> None:
        """Read one frame. Raises ``TimeoutError`` at ``until`` (monotonic), or what the link raises.

        Not ``drain_events``: that begins its time-out anew after every heartbeat.
        """
        left = until - monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.blocking_read(left)

    def close(self) -> None:
        """Close it on the broker too: one round trip."""
        self._channel.close()

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for settled in self._settled(tag, multiple):
            slot, _ = self._waiting.pop(settled)
            returned = settled in self._returned
            self._returned.discard(settled)
            self._report(slot, UNROUTABLE if returned else CONFIRMED)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for settled in self._settled(tag, multiple):
            slot, _ = self._waiting.pop(settled)
            self._returned.discard(settled)
            self._report(slot, NACKED)

    def _settled(self, tag: int, multiple: bool) -> list[int]:
        if not multiple:
            return [tag] if tag in self._waiting else []
        settled = []
        for waiting in self._waiting:  # in order of tags: they are only ever added at the end
            if waiting > tag:
                break
            settled.append(waiting)
        return settled

    def _on_return(self, _why: Any, exchange: str, routing_key: str, returned: Any) -> None:
        """A Return names no tag; it comes before its Ack, and Returns come in order of publishing.

        So it is the first message after the last one that came back which looks the same. Two
        messages with one id (a replay beside its original) are told apart by that order.
        """
        looks = (returned.properties.get("message_id", ""), exchange, routing_key)
        for tag, (_, message) in self._waiting.items():
            if tag > self._last_returned and (message.id, message.destination, message.routing_key) == looks:
                self._returned.add(tag)
                self._last_returned = tag
                return


def _as_amqp(message: Message) -> amqp.Message:
    properties: dict[str, Any] = {
        "message_id": message.id,
        "type": message.type,
        "app_id": message.source,
        "timestamp": message.timestamp,
        "content_type": message.content_type,
    }
    properties = {name: value for name, value in properties.items() if value}
    if message.headers:
        properties["application_headers"] = dict(message.headers)
    return amqp.Message(message.body, content_encoding="utf-8", delivery_mode=2, **properties)
