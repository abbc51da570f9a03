"""The CloudEvents SDK, an independent reader and writer, understands our messages, and we understand its."""

from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings import amqp, rabbitmq
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from eventbridge.errors import MalformedMessage
from eventbridge.event import Event
from eventbridge.transports import STRUCTURED, Message
from eventbridge.wire import decode, encode, with_sequence
from tests.wire.payloads import ALL_TYPES, PAID, OrderPaid

ATTRIBUTES = {
    "id": "a-1",
    "source": "/their/service",
    "type": "wire.order.paid.v1",
    "specversion": "1.0",
    "time": datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC),
    "subject": "42",
    "datacontenttype": "application/json",
    "partitionkey": "order_id:42",
    "sequence": "00000000000000000001",
}
DATA = {"order_id": 42, "email": "ann@example.org"}


def theirs(**attributes: object) -> CloudEvent:
    return CloudEvent({**ATTRIBUTES, **attributes}, DATA)


def message(body: bytes, content_type: str | None, headers: dict | None = None) -> Message:
    return Message(destination="", routing_key="", body=body, content_type=content_type or "", headers=headers or {})


def assert_read(event: Event) -> None:
    assert event.data == OrderPaid(**DATA)
    for name, value in ATTRIBUTES.items():
        if name not in ("specversion", "datacontenttype"):
            assert getattr(event, name) == value, name


@pytest.mark.parametrize("event", [PAID, ALL_TYPES], ids=["order paid", "everything"])
def test_the_sdk_reads_what_we_write(event):
    body = with_sequence(encode(event), 7)
    read = rabbitmq.from_rabbitmq_event(rabbitmq.RabbitMQMessage({}, STRUCTURED, body))
    assert read.get_id() == event.id
    assert read.get_source() == event.source
    assert read.get_type() == event.type
    assert read.get_time() == event.time
    assert read.get_subject() == event.subject
    assert read.get_dataschema() == event.dataschema
    assert read.get_extension("sequence") == "00000000000000000007"
    for extension in ("partitionkey", "correlationid", "causationid", "traceparent"):
        assert read.get_extension(extension) == getattr(event, extension)
    assert list(read.get_data()) == list(type(event.data).__dataclass_fields__)


def test_we_read_what_the_sdk_writes_in_structured_mode():
    sent = rabbitmq.to_structured_event(theirs())
    assert_read(decode(message(sent.body, sent.content_type)).read_as(OrderPaid))


def test_we_read_what_the_sdk_writes_in_binary_mode_for_rabbitmq():
    sent = rabbitmq.to_binary_event(theirs())
    assert set(sent.headers) >= {"ce-id", "ce-time"}
    assert_read(decode(message(sent.body, sent.content_type, sent.headers)).read_as(OrderPaid))


def test_we_read_what_the_sdk_writes_in_binary_mode_for_amqp_with_its_time_in_milliseconds():
    sent = amqp.to_binary_event(theirs())
    assert isinstance(sent.application_properties["cloudEvents_time"], int)
    read = decode(message(sent.application_data, sent.properties["content-type"], sent.application_properties))
    assert_read(read.read_as(OrderPaid))


def test_we_read_data_that_the_sdk_sends_as_base64():
    sent = JSONFormat().write(CloudEvent(ATTRIBUTES, b'{"order_id": 42, "email": "ann@example.org"}'))
    assert b"data_base64" in sent
    assert_read(decode(message(sent, "application/cloudevents+json")).read_as(OrderPaid))


def test_extension_attributes_that_we_do_not_know_are_passed_over():
    sent = rabbitmq.to_structured_event(theirs(theirextension="x", sampledrate=5))
    assert_read(decode(message(sent.body, sent.content_type)).read_as(OrderPaid))


def test_an_event_without_data_is_read_in_either_mode():
    empty = CloudEvent({name: ATTRIBUTES[name] for name in ("id", "source", "type", "specversion")})
    structured, binary = rabbitmq.to_structured_event(empty), rabbitmq.to_binary_event(empty)
    assert decode(message(structured.body, structured.content_type)).read_as(None).data is None
    assert decode(message(binary.body, "application/json", binary.headers)).read_as(None).data is None


def test_data_that_is_no_json_is_refused():
    sent = rabbitmq.to_binary_event(CloudEvent({**ATTRIBUTES, "datacontenttype": "text/plain"}, "plain"))
    with pytest.raises(MalformedMessage, match="text/plain"):
        decode(message(sent.body, sent.content_type, sent.headers))
