"""Whatever emit accepts arrives as it was sent."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from eventbridge.event import Event, uuid7
from eventbridge.transports import Message
from eventbridge.wire import decode, encode, with_sequence
from tests.wire.payloads import Colour, Everything, Line

text = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-(2**63), 2**63 - 1)
decimals = st.decimals(allow_nan=False, allow_infinity=False)
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
years = {"min_value": datetime(2, 1, 1), "max_value": datetime(9998, 1, 1)}  # noqa: DTZ001
moments = st.datetimes(**years, timezones=zones)
lines = st.builds(Line, product=text, quantity=integers, price=decimals)
plain_json = st.recursive(
    st.none() | st.booleans() | integers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
payloads = st.builds(
    Everything,
    text=text,
    whole=integers,
    truth=st.booleans(),
    fraction=st.floats(allow_nan=False, allow_infinity=False),
    money=decimals,
    identity=st.uuids(),
    moment=moments,
    day=st.dates(),
    colour=st.sampled_from(Colour),
    absent=st.none() | integers,
    present=st.none() | integers,
    words=st.lists(text, max_size=3),
    prices=st.dictionaries(text, decimals, max_size=3),
    line=lines,
    lines=st.lists(lines, max_size=2),
    anything=plain_json,
    by_default=text,
)


@given(payloads, st.integers(1, 2**63 - 1), moments)
def test_every_payload_comes_back_as_it_was_sent(payload, sequence, time):
    sent = Event.about(payload, source="/shop", time=time)
    body = with_sequence(encode(sent), sequence)
    event = decode(Message(destination="", routing_key="", body=body)).read_as(Everything)
    assert event.data == payload
    assert event.time == time
    assert event.time.utcoffset().total_seconds() == 0
    assert int(event.sequence) == sequence
    assert (event.id, event.source, event.type) == (sent.id, sent.source, sent.type)


def test_ids_are_version_7_uuids_of_the_standard_variant():
    for _ in range(1000):
        identity = uuid.UUID(uuid7())
        assert (identity.version, identity.variant) == (7, uuid.RFC_4122)


def test_ids_begin_with_their_milliseconds():
    before = datetime.now(UTC).timestamp()
    milliseconds = int(uuid7().replace("-", "")[:12], 16)
    after = datetime.now(UTC).timestamp()
    assert int(before * 1000) <= milliseconds <= int(after * 1000) + 1


def test_ids_sort_by_time(monkeypatch):
    moments = [0, 1_000_000, 1_770_091_506_789_000_000, 1_770_091_506_790_000_000, 2**48 * 1_000_000 - 1]
    ids = []
    for moment in moments:
        monkeypatch.setattr("eventbridge.event.clock.time_ns", lambda moment=moment: moment)
        ids.append(uuid7())
    assert ids == sorted(ids)


def test_ids_do_not_repeat():
    assert len({uuid7() for _ in range(10_000)}) == 10_000
