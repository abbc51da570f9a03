"""A channel in confirm mode that knows, by delivery tag, what the broker still owes it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import amqp

from eventbridge.transports import CONFIRMED, NACKED, UNROUTABLE, Message, Outcome
from eventbridge.transports.rabbitmq.frames import encode

_CHUNK = 32 * 1024


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
        self._kept = bytearray()
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
        """Keep it until there is a chunk to send, or until :meth:`flush`: a system call each is dear.

        Raises Unencodable, or what the link raises.
        """
        self._kept += encode(message, self._channel.channel_id, self._connection.frame_max)
        self._tag += 1
        self._waiting[self._tag] = (slot, message)
        if len(self._kept) >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Send what is kept. Raises what the link raises."""
        chunk, self._kept = self._kept, bytearray()
        if chunk:
            self._connection.transport.write(chunk)

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
