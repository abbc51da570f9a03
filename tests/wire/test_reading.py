"""Whatever arrives is an event or a MalformedMessage: no message may stop a worker."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventbridge.errors import MalformedMessage
from eventbridge.event import Event
from eventbridge.transports import STRUCTURED, Message
from eventbridge.wire import decode
from tests.wire.payloads import Everything, OrderPaid

CONTEXT = {"specversion": "1.0", "id": "1", "source": "/theirs", "type": "wire.order.paid.v1"}
DATA = {"order_id": 42, "email": "ann@example.org"}
PREFIXES = ["cloudEvents_", "cloudEvents:", "ce-"]


def message(body: bytes, content_type: str = STRUCTURED, **headers: Any) -> Message:
    return Message(destination="", routing_key="", body=body, content_type=content_type, headers=headers)


def structured(**members: Any) -> Event:
    return decode(message(json.dumps({**CONTEXT, "data": DATA, **members}).encode()))


def binary(prefix: str, body: bytes = b'{"order_id":42,"email":""}', **attributes: Any) -> Event:
    headers = {f"{prefix}{name}": value for name, value in {**CONTEXT, **attributes}.items()}
    return decode(message(body, "application/json", **headers))


def read(event: Event) -> Event:
    """As a worker reads: raw, then for a pattern, then for a type."""
    event.read_as(None)
    return event.read_as(OrderPaid)


# --- what is read ---


def test_what_a_handler_gets_is_the_payload_itself():
    assert structured().read_as(OrderPaid).data == OrderPaid(**DATA)


def test_for_a_pattern_the_data_is_plain_json():
    assert structured().read_as(None).data == DATA


@pytest.mark.parametrize(
    "content_type",
    [
        "application/cloudevents+json",
        "application/cloudevents+json; charset=utf-8",
        "application/cloudevents+json;charset=UTF-8",
        "Application/CloudEvents+JSON",
        "application/cloudevents",
    ],
)
def test_structured_mode_is_known_by_its_content_type(content_type):
    body = json.dumps({**CONTEXT, "data": DATA}).encode()
    assert decode(message(body, content_type)).id == "1"


@pytest.mark.parametrize("prefix", [*PREFIXES, "CE-", "cloudevents_"])
def test_binary_mode_is_read_with_any_of_the_prefixes(prefix):
    event = binary(prefix, time="2026-02-03T04:05:06.000007Z", subject="42")
    assert (event.id, event.source, event.subject) == ("1", "/theirs", "42")
    assert event.time == datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert event.read_as(OrderPaid).data == OrderPaid(order_id=42, email="")


def test_an_attribute_that_reads_null_stays_text():
    assert binary("ce-", subject="null").subject == "null"


@pytest.mark.parametrize(
    "time",
    [1_770_091_506_789, datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC), "2026-02-03T05:05:06.789+01:00"],
    ids=["milliseconds", "an AMQP timestamp", "text"],
)
def test_a_binary_time_may_be_an_amqp_timestamp(time):
    assert binary("cloudEvents_", time=time).time == datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)


def test_other_headers_are_none_of_our_business():
    headers = {f"ce-{name}": value for name, value in CONTEXT.items()}
    headers |= {"x-death": [{"count": 3}], "traceparent": "00-…", "celery": b"\xff", "eventbridge-attempt": 2}
    assert decode(message(b"{}", "application/json", **headers)).id == "1"


@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.shop+json; charset=utf-8", ""])
def test_the_data_of_binary_mode_may_be_of_any_json_type(content_type):
    headers = {f"ce-{name}": value for name, value in CONTEXT.items()}
    assert decode(message(b"[1]", content_type, **headers)).read_as(None).data == [1]


def test_nanoseconds_are_read_to_the_microsecond():
    read_at = structured(time="2026-02-03T04:05:06.123456789Z").time
    assert read_at == datetime(2026, 2, 3, 4, 5, 6, 123_457, tzinfo=UTC)


def test_255_characters_are_not_too_many():
    assert len(structured(id="é" * 255).id) == 255


def test_fields_that_a_newer_version_added_are_passed_over():
    assert structured(data={**DATA, "added": [1]}).read_as(OrderPaid).data == OrderPaid(**DATA)


# --- what is refused ---


def test_two_prefixes_in_one_message_are_refused():
    headers = {f"{prefix}{name}": value for prefix in PREFIXES[1:] for name, value in CONTEXT.items()}
    with pytest.raises(MalformedMessage, match="two prefixes"):
        decode(message(b"{}", "application/json", **headers))


def test_a_message_that_is_no_cloud_event_is_refused_with_its_content_type():
    with pytest.raises(MalformedMessage, match="text/plain"):
        decode(message(b"hello", "text/plain"))


@pytest.mark.parametrize("missing", CONTEXT)
def test_a_required_attribute_that_is_missing_is_named(missing):
    body = json.dumps({name: value for name, value in CONTEXT.items() if name != missing}).encode()
    with pytest.raises(MalformedMessage, match=missing):
        decode(message(body))
    with pytest.raises(MalformedMessage, match=missing):
        decode(message(b"{}", "", **{f"ce-{n}": value for n, value in CONTEXT.items() if n != missing}))


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": "1.1"}, "specversion"),
        ({"specversion": 1.0}, "specversion"),
        ({"id": ""}, "id is empty"),
        ({"source": ""}, "source is empty"),
        ({"type": ""}, "type is empty"),
        ({"id": 5}, "id"),
        ({"id": "a\x00b"}, "id .* NUL"),
        ({"id": "a" * 256}, "id is longer"),
        ({"source": "/" * 256}, "source is longer"),
        ({"type": "a" * 256}, "type is longer"),
        ({"subject": "a\x00"}, "subject .* NUL"),
        ({"sequence": 7}, "sequence"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2026-02-03T04:05:06"}, "time must know its time zone"),
        ({"time": 5}, "time"),
        ({"datacontenttype": "application/xml"}, "application/xml"),
        ({"data_base64": "not base64"}, "data_base64"),
    ],
)
def test_an_attribute_that_nobody_can_use_is_named(members, why):
    with pytest.raises(MalformedMessage, match=why):
        structured(**members)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"hello",
        b'{"specversion":"1.0"',
        b"\xff\xfe",
        b'{"specversion":"1.0","id":"\xff","source":"/s","type":"t"}',
        b'{"specversion":"1.0","id":"\\ud800","source":"/s","type":"t"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"specversion":"1.0","id":"1","source":"/s","type":"t","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'\xef\xbb\xbf{"specversion":"1.0","id":"1","source":"/s","type":"t"}',
    ],
    ids=lambda body: repr(body[:40]) if len(body) < 1000 else f"{body[:70]!r}… {len(body)} bytes",
)
def test_a_body_that_is_no_event_is_malformed(body):
    with pytest.raises(MalformedMessage):
        read(decode(message(body)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'"\xff"',
        b'"\\ud800"',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"1e400",
        b"9" * 5_000,
        b"-" + b"9" * 100_000,
        b"NaN",
        b'{"order_id":' + b"9" * 5_000 + b',"email":""}',
        b'{"order_id":1e400,"email":""}',
        b'{"order_id":1,"email":"\xc3"}',
        b'{"order_id":1,"email":null}',
        b'{"order_id":"1","email":""}',
        b'{"order_id":1}',
    ],
    ids=lambda data: repr(data[:40]),
)
def test_data_that_does_not_fit_its_type_is_malformed(data):
    with pytest.raises(MalformedMessage, match="data does not fit"):
        binary("ce-", data or b" ").read_as(OrderPaid)


def test_the_field_that_does_not_fit_is_named():
    with pytest.raises(MalformedMessage, match="order_id"):
        structured(data={"order_id": "x", "email": ""}).read_as(OrderPaid)


def test_of_two_members_of_one_name_the_last_one_counts_as_in_json_everywhere():
    body = b'{"specversion":"1.0","id":"1","id":"2","source":"/s","type":"t","data":1,"data":2}'
    event = decode(message(body)).read_as(None)
    assert (event.id, event.data) == ("2", json.loads(body)["data"])


# --- anything at all ---

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes()
names = st.sampled_from([*CONTEXT, "time", "subject", "sequence", "datacontenttype", "data", "data_base64"])


def must_read_or_refuse(sent: Message) -> None:
    for payload in (None, OrderPaid, Everything):
        try:
            event = decode(sent)
            assert event.id
            assert event.time is None or event.time.tzinfo is not None
            event.read_as(payload)
        except MalformedMessage as error:
            assert str(error)  # noqa: PT017


@given(st.binary())
@example(b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":\x00}')
def test_any_bytes_are_an_event_or_malformed(body):
    must_read_or_refuse(message(body))
    must_read_or_refuse(message(body, "application/json", **{f"ce-{n}": v for n, v in CONTEXT.items()}))


@given(json_values)
def test_any_json_is_an_event_or_malformed(value):
    must_read_or_refuse(message(json.dumps(value).encode()))


@given(st.dictionaries(names, json_values), json_values)
def test_an_event_with_any_attributes_is_read_or_malformed(attributes, data):
    must_read_or_refuse(message(json.dumps({**CONTEXT, "data": data, **attributes}).encode()))


@given(st.dictionaries(names, scalars), st.sampled_from(PREFIXES), st.text())
@example({"time": 10**400}, "ce-", "")
@example({"time": float("nan")}, "ce-", "")
@example({"time": True}, "ce-", "")
def test_any_headers_are_an_event_or_malformed(attributes, prefix, content_type):
    headers = {f"{prefix}{name}": value for name, value in {**CONTEXT, **attributes}.items()}
    must_read_or_refuse(message(b'{"order_id":1,"email":""}', content_type, **headers))
    must_read_or_refuse(message(b"{}", "application/json", **headers))
