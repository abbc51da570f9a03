"""What clients declare on a broker, read off the wire: to remove it where no management interface lists it."""

import struct
from collections.abc import Callable

import kombu

# AMQP 0-9-1: a frame is type, channel, size, payload and an end mark; a method's payload begins with class and method.
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
FRAME_HEAD = struct.Struct(">BHI")
METHOD_HEAD = struct.Struct(">HHH")  # class, method, and the reserved short of the two below
METHOD_FRAME = 1
QUEUE_DECLARE, EXCHANGE_DECLARE = (50, 10), (40, 10)


class Declared:
    """The names of the queues and exchanges that were declared through connections that it listens to."""

    def __init__(self) -> None:
        self.queues: set[str] = set()
        self.exchanges: set[str] = set()

    def listener(self) -> Callable[[bytes], None]:
        """Reads one connection's bytes, as they come."""
        buffer = bytearray()

        def listen(data: bytes) -> None:
            buffer.extend(data)
            if buffer.startswith(PROTOCOL_HEADER):
                del buffer[: len(PROTOCOL_HEADER)]
            self._read_frames(buffer)

        return listen

    def remove(self, url: str) -> None:
        """Delete what was declared, with what is in it."""
        with kombu.Connection(url) as connection:
            for queue in self.queues:
                connection.default_channel.queue_delete(queue)
            for exchange in self.exchanges:
                connection.default_channel.exchange_delete(exchange)

    def _read_frames(self, buffer: bytearray) -> None:
        while len(buffer) >= FRAME_HEAD.size:
            kind, _, size = FRAME_HEAD.unpack_from(buffer)
            end = FRAME_HEAD.size + size + 1
            if len(buffer) < end:
                return
            if kind == METHOD_FRAME:
                self._read_method(bytes(buffer[FRAME_HEAD.size : end - 1]))
            del buffer[:end]

    def _read_method(self, payload: bytes) -> None:
        if len(payload) <= METHOD_HEAD.size:
            return
        *method, _ = METHOD_HEAD.unpack_from(payload)
        names = {QUEUE_DECLARE: self.queues, EXCHANGE_DECLARE: self.exchanges}.get((method[0], method[1]))
        start = METHOD_HEAD.size + 1
        name = payload[start : start + payload[start - 1]].decode()
        if names is not None and name and not name.startswith("amq."):
            names.add(name)
