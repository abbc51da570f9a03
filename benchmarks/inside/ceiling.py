"""Ceilings: the bodies that are in our outbox, published as fast as it goes, without a database on the way.

``python -m benchmarks.inside.ceiling pyamqp|frames N``. A window of 1,000 waits for its confirms.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp
import django
from amqp.method_framing import frame_writer

django.setup()

from eventbridge.models import OutboxEntry  # noqa: E402
from eventbridge.topology import EVENTS  # noqa: E402
from eventbridge.transports import STRUCTURED  # noqa: E402
from eventbridge.wire import with_sequence  # noqa: E402

WINDOW = 1000
_ALL = 1 << 60  # bytes: the relay reads less at a time
_CHUNK = 250
_ACK = bytes((0, 60, 0, 80))
_FRAME = 21  # of a Basic.Ack: 7 of head, 4 + 8 + 1 of method, 1 of end


def messages(count: int) -> list[tuple[amqp.Message, str]]:
    """What the relay would publish."""
    return [(_message(entry), entry.type) for entry in OutboxEntry.objects.pending(count, size=_ALL)]


def _message(entry: Any) -> amqp.Message:
    return amqp.Message(
        with_sequence(entry.body.encode(), entry.id),
        content_type=STRUCTURED,
        content_encoding="utf-8",
        delivery_mode=2,
        message_id=entry.event_id,
        type=entry.type,
        app_id="/bench",
        timestamp=entry.recorded,
    )


def connect(**options: Any) -> amqp.Connection:
    parts = urlsplit(os.environ["BENCH_BROKER_URL"])
    connection = amqp.Connection(
        f"{parts.hostname}:{parts.port or 5672}",
        userid=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        virtual_host=unquote(parts.path[1:]) or "/",
        heartbeat=0,
        **options,
    )
    connection.connect()
    # py-amqp reads the socket before every publish otherwise: a quarter of its speed.
    connection.client_properties["capabilities"]["connection.blocked"] = False
    return connection


def pyamqp(count: int) -> None:
    """py-amqp as it is: every message encoded and sent when its turn comes."""
    ready = messages(count)
    connection = connect()
    channel = connection.channel()
    channel.confirm_select()
    confirmed = 0

    def on_ack(tag: int, multiple: bool) -> None:
        nonlocal confirmed
        confirmed = tag if multiple else confirmed + 1

    channel.events["basic_ack"].add(on_ack)
    for sent, (message, key) in enumerate(ready, 1):
        channel.basic_publish(message, EVENTS, key, mandatory=True)
        if sent - confirmed >= WINDOW:
            while sent - confirmed > WINDOW // 2:
                connection.drain_events()
    while confirmed < count:
        connection.drain_events()


class _Frames:
    """A frame writer that keeps what it encodes."""

    def __init__(self, connection: amqp.Connection, transport: Any) -> None:
        self.kept = bytearray()
        self.keeps = False
        self._transport = transport
        self._encode = frame_writer(connection, self)

    def __call__(self, *method: Any) -> None:
        self._encode(*method)

    def write(self, frame: bytes) -> None:
        if self.keeps:
            self.kept += frame
        else:
            self._transport.write(frame)


def frames(count: int) -> None:
    """Everything encoded ahead: what is left is the socket and the broker."""
    connection = connect(frame_writer=_Frames)
    channel = connection.channel()
    channel.confirm_select()
    chunks = list(_encoded(connection, channel, messages(count)))
    _blast(connection.sock, chunks)


def _encoded(connection: amqp.Connection, channel: Any, ready: list[tuple[amqp.Message, str]]) -> Iterator[bytes]:
    writer = connection.frame_writer
    writer.keeps = True
    for start in range(0, len(ready), _CHUNK):
        for message, key in ready[start : start + _CHUNK]:
            channel.basic_publish(message, EVENTS, key, mandatory=True)
        yield bytes(writer.kept)
        writer.kept.clear()


def _blast(sock: socket.socket, chunks: list[bytes]) -> None:
    sock.settimeout(60)
    acks = _Acks(sock)
    for number, chunk in enumerate(chunks, 1):
        sock.sendall(chunk)
        while number * _CHUNK - acks.confirmed >= WINDOW:
            acks.read()
    total = len(chunks) * _CHUNK
    while acks.confirmed < total - _CHUNK + 1:
        acks.read()


class _Acks:
    """Reads nothing but acks, by their shape."""

    def __init__(self, sock: socket.socket) -> None:
        self.confirmed = 0
        self._sock = sock
        self._rest = b""

    def read(self) -> None:
        data = self._rest + self._sock.recv(65536)
        whole = len(data) // _FRAME * _FRAME
        for at in range(0, whole, _FRAME):
            if data[at + 7 : at + 11] != _ACK:
                raise RuntimeError(f"something else than an ack: {data[at : at + 40]!r}")
            tag, multiple = int.from_bytes(data[at + 11 : at + 19], "big"), data[at + 19]
            self.confirmed = tag if multiple else self.confirmed + 1
        self._rest = data[whole:]


if __name__ == "__main__":
    {"pyamqp": pyamqp, "frames": frames}[sys.argv[1]](int(sys.argv[2]))
