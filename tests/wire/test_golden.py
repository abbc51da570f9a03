"""The bytes that other services were promised. When one of these fails, the wire format has changed: that is a
breaking change, not a file to regenerate."""

import json
from pathlib import Path

import pytest

from eventbridge import emit
from eventbridge.event import Event
from eventbridge.models import OutboxEntry
from eventbridge.transports import Message
from eventbridge.wire import decode, encode, with_sequence
from tests.wire.payloads import ALL_TYPES, CONTEXT, PAID, OrderPaid

HERE = Path(__file__).parent
SEQUENCE = 7


def golden(name: str) -> bytes:
    return (HERE / name).read_bytes().removesuffix(b"\n")


def received(body: bytes) -> Event:
    return decode(Message(destination="", routing_key="", body=body))


@pytest.mark.parametrize(("event", "name"), [(PAID, "order_paid.json"), (ALL_TYPES, "everything.json")])
def test_an_event_is_written_byte_by_byte_as_it_always_was(event, name):
    assert with_sequence(encode(event), SEQUENCE) == golden(name)


@pytest.mark.parametrize(("event", "name"), [(PAID, "order_paid.json"), (ALL_TYPES, "everything.json")])
def test_what_was_once_written_is_read_as_what_it_was(event, name):
    read = received(golden(name)).read_as(type(event.data))
    assert read.sequence == "00000000000000000007"
    for attribute in (
        *CONTEXT,
        "type",
        "subject",
        "partitionkey",
        "dataschema",
        "correlationid",
        "causationid",
        "data",
    ):
        assert getattr(read, attribute) == getattr(event, attribute), attribute
    assert read.traceparent == event.traceparent


def test_the_frozen_messages_are_plain_json_to_anyone():
    envelope = json.loads(golden("everything.json"))
    assert envelope["specversion"] == "1.0"
    assert envelope["time"] == "2026-02-03T04:05:06.000007Z"
    assert envelope["data"]["money"] == "12.30"
    assert envelope["data"]["identity"] == "01234567-89ab-cdef-0123-456789abcdef"
    assert envelope["data"]["moment"] == "2026-02-03T04:05:06.789012Z"
    assert envelope["data"]["colour"] == "red"
    assert envelope["data"]["absent"] is None
    assert envelope["data"]["line"] == {"product": "tea", "quantity": 2, "price": "3.00"}


def test_a_whole_second_is_written_with_its_microseconds():
    whole = Event(**{**CONTEXT, "time": CONTEXT["time"].replace(microsecond=0)}, type=PAID.type, data=PAID.data)
    assert b'"time":"2026-02-03T04:05:06.000000Z"' in encode(whole)


@pytest.mark.django_db
def test_a_row_of_the_outbox_is_written_as_it_always_was(monkeypatch):
    monkeypatch.setattr("eventbridge.event.uuid7", lambda: CONTEXT["id"])  # the one value that chance decides
    emit(OrderPaid(order_id=42, email="ann@example.org"), time=CONTEXT["time"])
    frozen = json.loads(golden("outbox_row.json"))
    assert OutboxEntry.objects.values(*frozen).get() == frozen


@pytest.mark.django_db
def test_the_sequence_in_front_of_a_recorded_body_makes_it_a_message():
    event = emit(OrderPaid(order_id=42, email="ann@example.org"))
    entry = OutboxEntry.objects.get()
    read = received(with_sequence(entry.body.encode(), entry.pk)).read_as(OrderPaid)
    assert (read.id, read.source, read.time, read.data) == (event.id, "/shop", event.time, event.data)
    assert read.sequence == f"{entry.pk:020}"
    assert len(read.sequence) == 20


def test_the_largest_id_still_sorts_as_text():
    body = encode(PAID)
    sequences = [received(with_sequence(body, number)).sequence for number in (9, 10, 2**63 - 1)]
    assert sequences == sorted(sequences)
