"""The frames that are written by hand are, byte for byte, those that py-amqp writes."""

from types import SimpleNamespace
from typing import Any

import amqp
import pytest
from amqp import spec
from amqp.method_framing import frame_writer
from hypothesis import given
from hypothesis import strategies as st

from eventbridge.transports import Message
from eventbridge.transports.rabbitmq.frames import Unencodable, encode

FRAME_MAX = 4_096
short = st.text(max_size=60)
scalar = st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text(max_size=20)
messages = st.builds(
    Message,
    destination=short,
    routing_key=short,
    body=st.binary(max_size=3 * FRAME_MAX),
    id=short,
    type=short,
    source=short,
    timestamp=st.integers(0, 2**40),
    headers=st.dictionaries(short, scalar, max_size=3),
)


def as_py_amqp_writes(message: Message) -> bytes:
    written = bytearray()
    connection: Any = SimpleNamespace(frame_max=FRAME_MAX, bytes_sent=0)
    write = frame_writer(connection, SimpleNamespace(write=written.extend))
    properties: dict[str, Any] = {
        "content_type": message.content_type,
        "content_encoding": "utf-8",
        "application_headers": dict(message.headers),
        "delivery_mode": 2,
        "message_id": message.id,
        "timestamp": message.timestamp,
        "type": message.type,
        "app_id": message.source,
    }
    content = amqp.Message(message.body, **{name: value for name, value in properties.items() if value})
    arguments = amqp.serialization.dumps("Bssbb", (0, message.destination, message.routing_key, True, False))
    write(1, 7, spec.Basic.Publish, arguments, content)
    return bytes(written)


@given(messages)
def test_a_message_is_written_as_py_amqp_writes_it(message: Message) -> None:
    assert encode(message, 7, FRAME_MAX) == as_py_amqp_writes(message)


@pytest.mark.parametrize("size", [0, 1, FRAME_MAX - 9, FRAME_MAX - 8, FRAME_MAX - 7, 2 * (FRAME_MAX - 8)])
def test_a_body_takes_no_frame_more_than_it_needs(size: int) -> None:
    message = Message(destination="e", routing_key="k", body=b"x" * size)
    assert encode(message, 7, FRAME_MAX) == as_py_amqp_writes(message)


@pytest.mark.parametrize(
    "field",
    [{"routing_key": "k" * 256}, {"id": "\udc80"}, {"type": "é" * 128}, {"headers": {"h": object()}}],
    ids=lambda field: next(iter(field)),
)
def test_what_amqp_cannot_carry_is_told_before_anything_is_written(field: dict[str, Any]) -> None:
    with pytest.raises(Unencodable):
        encode(Message(**{"destination": "e", "routing_key": "k", "body": b"", **field}), 7, FRAME_MAX)
