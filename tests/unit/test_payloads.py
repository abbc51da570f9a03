"""What emit writes, and what it refuses, always with the field's name."""

import dataclasses
import enum
import json
import uuid
from collections import OrderedDict, defaultdict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal

import pytest
from django.db import models
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from eventbridge import Event, event_type
from eventbridge.capture import _text
from eventbridge.errors import InvalidEvent
from eventbridge.transports import Message
from eventbridge.values import are_unbent
from eventbridge.wire import decode, encode

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
NAIVE = datetime(2026, 2, 3, 12)  # noqa: DTZ001


class Colour(enum.Enum):
    RED = "red"


class Mixed(str, enum.Enum):  # noqa: UP042 - the one whose str() is its Python name
    RED = "red"


class Status(models.TextChoices):
    DRAFT = "draft", gettext_lazy("Draft")


class Level(models.IntegerChoices):
    HIGH = 3, gettext_lazy("High")


@dataclasses.dataclass(frozen=True)
class Nested:
    price: Decimal
    at: datetime = NOON


class FrozenClock(datetime):
    """As a library that freezes time makes them."""


class Number(int):
    """As a library that hides ids makes them."""


class Money(Decimal):
    pass


class Ratio(float):
    pass


def event(annotation: Any, value: Any, key: str | None = None) -> Event[Any]:
    payload = event_type("unit.value.v1", key=key)(type("Payload", (), {"__annotations__": {"field": annotation}}))
    return Event.about(payload(field=value), source="/s", time=NOON)


def written(annotation: Any, value: Any) -> Any:
    return json.loads(encode(event(annotation, value), _text))["data"]["field"]


def refusal(annotation: Any, value: Any) -> str:
    with pytest.raises(InvalidEvent) as refused:
        encode(event(annotation, value), _text)
    assert str(refused.value).startswith("unit.value.v1: ")
    return str(refused.value)


# --- what is written ---


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (str, SafeString("<b>"), "<b>"),
        (str, gettext_lazy("Monday"), "Monday"),
        (str | None, mark_safe("x"), "x"),
        (list[str], [SafeString("a"), gettext_lazy("Monday")], ["a", "Monday"]),
        (dict[str, str], {"a": SafeString("b"), "c": gettext_lazy("Monday")}, {"a": "b", "c": "Monday"}),
        (dict[str, int], {SafeString("a"): 1, gettext_lazy("Monday"): 2}, {"a": 1, "Monday": 2}),
        (dict[str, Any], {"a": [{"b": gettext_lazy("Monday")}]}, {"a": [{"b": "Monday"}]}),
        (Any, SafeString("a"), "a"),
        (str, Status.DRAFT, "draft"),
        (Status, Status.DRAFT, "draft"),
        (int, Level.HIGH, 3),
        (Level, Level.HIGH, 3),
        (Colour, Colour.RED, "red"),
        (list[Colour], [Colour.RED], ["red"]),
        (dict[Colour, int], {Colour.RED: 1}, {"red": 1}),
        (Literal["a", "b"], "a", "a"),
        (Decimal, Decimal("1.50"), "1.50"),
        (Decimal, 2, "2"),
        (Decimal | None, None, None),
        (int | str, "1", "1"),
        (int | str, 1, 1),
        (float, 1, 1),
        (float, 0.1, 0.1),
        (int, 2**62, 2**62),
        (datetime, datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-01-01T01:00:00+02:00"),
        (date, date(2026, 1, 1), "2026-01-01"),
        (uuid.UUID, uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (bytes, b"abc", "YWJj"),
        (tuple[int, ...], (1, 2), [1, 2]),
        (list[int], (1, 2), [1, 2]),
        (set[int], {1}, [1]),
        (dict[str, int], OrderedDict(a=1), {"a": 1}),
        (dict[str, int], defaultdict(int, a=1), {"a": 1}),
        (dict[int, str], {1: "a"}, {"1": "a"}),
        (Nested, Nested(Decimal("1.5")), {"price": "1.5", "at": "2026-02-03T12:00:00Z"}),
        (datetime, FrozenClock(2026, 2, 3, 12, tzinfo=UTC), "2026-02-03T12:00:00Z"),
        (int, Number(5), 5),
        (float, Ratio(0.5), 0.5),
        (Decimal, Money("1.10"), "1.10"),
    ],
    ids=repr,
)
def test_values_are_written_as_plain_json(annotation, value, expected):
    assert written(annotation, value) == expected


def test_a_lazy_string_is_written_in_the_language_of_the_moment():
    with translation.override("de"):
        assert written(str, gettext_lazy("Monday")) == "Montag"


@pytest.mark.parametrize(
    ("annotation", "value", "subject"),
    [
        (str, SafeString("a-1"), "a-1"),
        (str, gettext_lazy("Monday"), "Monday"),
        (Colour, Colour.RED, "red"),
        (Mixed, Mixed.RED, "red"),
        (Status, Status.DRAFT, "draft"),
        (Level, Level.HIGH, "3"),
        (uuid.UUID, uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal, Decimal("1.50"), "1.50"),
        (date, date(2026, 1, 1), "2026-01-01"),
        (int, Number(5), "5"),
    ],
    ids=repr,
)
def test_a_key_of_any_kind_is_plain_text(annotation, value, subject):
    keyed = event(annotation, value, key="field")
    envelope = json.loads(encode(keyed, _text))
    assert (envelope["subject"], envelope["partitionkey"]) == (subject, f"field:{subject}")
    assert envelope["subject"] == str(envelope["data"]["field"])


def test_microseconds_survive():
    moment = NOON.replace(microsecond=1)
    assert written(datetime, moment) == "2026-02-03T12:00:00.000001Z"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_may_be_part_of_a_payload(text):
    assert written(str, text) == text


# --- what is refused ---


@pytest.mark.parametrize(
    ("annotation", "value", "where"),
    [
        (datetime, NAIVE, "field"),
        (datetime | None, NAIVE, "field"),
        (list[datetime], [NOON, NAIVE], "field[1]"),
        (dict[str, datetime], {"a": NAIVE}, "field.a"),
        (Nested, Nested(Decimal(1), NAIVE), "field.at"),
        (list[Nested], [Nested(Decimal(1), NAIVE)], "field[0].at"),
        (Any, NAIVE, "field"),
        (dict[str, Any], {"a": [NAIVE]}, "field.a[0]"),
        (str, NAIVE, "field"),
        (datetime, FrozenClock(2026, 2, 3), "field"),
    ],
    ids=repr,
)
def test_a_naive_datetime_is_refused(annotation, value, where):
    assert refusal(annotation, value).endswith(f"a datetime must know its time zone - at `{where}`")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("annotation", "wrap", "where"),
    [
        (float, lambda x: x, "field"),
        (float | None, lambda x: x, "field"),
        (list[float], lambda x: [x], "field[0]"),
        (list[float | None], lambda x: [0.5, x], "field[1]"),
        (dict[str, float | None], lambda x: {"a": x}, "field.a"),
        (Any, lambda x: {"a": {"b": x}}, "field.a.b"),
        (Decimal | None, Decimal, "field"),
        (Decimal | None, str, "field"),
        (list[Decimal], lambda x: [Decimal(x)], "field[0]"),
        (Nested | None, lambda x: Nested(Decimal(x)), "field.price"),
    ],
)
def test_a_number_that_json_has_not_is_refused(annotation, wrap, where, number):
    message = refusal(annotation, wrap(number))
    assert "is not a number that JSON has" in message or "Expected" in message
    assert "`field" in message
    if "Expected" not in message:
        assert message.endswith(f"- at `{where}`")


def test_a_signalling_nan_is_refused():
    assert refusal(Decimal, Decimal("sNaN")).endswith("sNaN is not a number that JSON has - at `field`")


@pytest.mark.parametrize(
    ("annotation", "value", "where"),
    [
        (Decimal, 0.5, "field"),
        (Decimal | None, 0.5, "field"),
        (list[Decimal], [Decimal(1), 0.5], "field[1]"),
        (tuple[Decimal, ...], (0.5,), "field[0]"),
        (dict[str, Decimal], {"a": 0.5}, "field.a"),
        (dict[str, Decimal], {1: 0.5}, "field.1"),
        (dict[str, list[Decimal]], {"a": [0.5]}, "field.a[0]"),
        (dict[Colour, Decimal], {Colour.RED: 0.5}, "field.red"),
        (Nested, Nested(0.5), "field.price"),  # type: ignore[arg-type]
        (Nested | None, Nested(0.5), "field.price"),  # type: ignore[arg-type]
        (Decimal, Ratio(0.5), "field"),
    ],
    ids=repr,
)
def test_a_float_in_a_decimal_is_refused(annotation, value, where):
    assert refusal(annotation, value).endswith(f"a float would lose digits in a Decimal - at `{where}`")


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "5"),
        (int, True),
        (int, 1.0),
        (int, 1.5),
        (int, None),
        (bool, 1),
        (str, 5),
        (str, None),
        (str, ["a"]),
        (float, Decimal("1.5")),
        (datetime, "yesterday"),
        (datetime, date(2026, 1, 1)),
        (date, NOON),
        (uuid.UUID, "not one"),
        (Colour, "blue"),
        (Status, "published"),
        (Literal["a"], "b"),
        (list[int], [1, "2"]),
        (dict[str, int], {"a": "b"}),
        (Nested, {"price": "x"}),
        (int | str, 1.5),
        (bytes, "***"),
    ],
    ids=repr,
)
def test_a_value_of_another_type_is_refused(annotation, value):
    assert "`field" in refusal(annotation, value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (str, b"abc"),
        (Any, b"abc"),
        (Any, object()),
        (int, object()),
        (str, models.Model),
        (list[int], [object()]),
        (dict[str, Any], {"a": 1j}),
        (str, "\ud800"),
        (list[str], ["\ud800"]),
        pytest.param(int, 10**5000, id="more digits than Python prints"),
        (Any, {("a", "b"): 1}),
    ],
)
def test_a_value_that_cannot_be_encoded_is_refused_with_its_field(annotation, value):
    assert refusal(annotation, value).endswith("- at `field`")


def test_a_value_that_contains_itself_is_refused():
    value: list[Any] = []
    value.append(value)
    assert refusal(Any, value).endswith("- at `field`")


def test_of_several_fields_the_one_that_cannot_be_encoded_is_named():
    @event_type("unit.several.v1")
    class Several:
        first: str
        second: Any
        third: str

    with pytest.raises(InvalidEvent, match="second"):
        encode(Event.about(Several(first="", second=object(), third=""), source="/s"))


def test_an_offset_with_seconds_is_refused_as_it_would_become_another_moment():
    moment = NOON.astimezone(timezone(timedelta(minutes=-16, seconds=-8)))
    assert "RFC 3339" in refusal(datetime, moment)


def test_a_time_of_the_event_without_a_zone_is_refused():
    naive = dataclasses.replace(event(int, 1), time=NAIVE)
    with pytest.raises(InvalidEvent, match="time must know its time zone"):
        encode(naive)


def test_a_time_that_has_no_utc_is_refused():
    early = dataclasses.replace(event(int, 1), time=datetime.min.replace(tzinfo=timezone(timedelta(hours=2))))
    with pytest.raises(InvalidEvent):
        encode(early)


@pytest.mark.parametrize("value", ["a" * 256, "a\x00"])
def test_a_key_that_no_reader_would_take_is_refused(value):
    keyed = event(str, value, key="field")
    with pytest.raises(InvalidEvent, match="subject is longer than 255, or holds a NUL or half a character"):
        encode(keyed)


def test_a_subclass_of_text_is_looked_at_like_text():
    safe = dataclasses.replace(event(str, "a"), source=SafeString("/shop\x00"))
    with pytest.raises(InvalidEvent, match="source is longer than 255, or holds a NUL or half a character"):
        encode(safe)


def test_text_that_is_no_key_may_be_long_and_hold_a_nul():
    assert written(str, "a\x00" * 1000) == "a\x00" * 1000


def test_a_frozen_clock_does_not_stop_events():
    frozen = dataclasses.replace(event(int, 1), time=FrozenClock(2026, 2, 3, 12, tzinfo=UTC))
    assert json.loads(encode(frozen))["time"] == "2026-02-03T12:00:00.000000Z"


def test_without_django_a_lazy_string_is_no_text():
    with pytest.raises(InvalidEvent, match="cannot be sent as JSON - at `field`"):
        encode(event(str, gettext_lazy("Monday")))


def test_what_was_written_from_django_values_is_read_without_them():
    body = encode(event(str, SafeString("a")), _text)
    read = decode(Message(destination="", routing_key="", body=body)).read_as(None)
    assert type(read.data["field"]) is str


class Loose:
    """Compares itself in its own way."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_what_a_class_leaves_out_of_its_comparison_is_compared():
    @event_type("unit.incomparable.v1")
    class Incomparable:
        text: str = dataclasses.field(compare=False)

    @event_type("unit.loose.v1")
    class LooseText(Loose):
        text: str

    for kind in (Incomparable, LooseText):
        with pytest.raises(InvalidEvent, match="bytes are no text - at `text`"):
            encode(Event.about(kind(text=b"abc"), source="/s"))


@pytest.mark.parametrize(
    ("hint", "value", "why"),
    [
        (str, bytearray(b"abc"), "bytes are no text"),
        (str, memoryview(b"abc"), "bytes are no text"),
        (float, 2**53 + 1, "an int of so many digits has no place in a float"),
        (dict[str, int], {b"a": 1}, "bytes are no text"),
    ],
)
def test_what_would_become_something_else_is_refused(hint: Any, value: Any, why: str):
    assert f"{why} - at `field" in refusal(hint, value)


def test_datetimes_in_a_set_may_have_zones_of_their_own():
    zones = (UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-5)))
    times = frozenset(NOON.astimezone(zone) + timedelta(hours=n) for n, zone in enumerate(zones))
    assert len(written(frozenset[datetime], times)) == 3


# --- the shorter way of payloads whose values cannot be bent ---


_UNBENT = [int, str | None, list[str], dict[str, list[int | None]], tuple[int, ...]]
_BENT = [float, Decimal, datetime, bytes, Any, list, dict, list[Decimal], dict[str, Any], Nested, Literal["a"]]


@pytest.mark.parametrize(("hint", "unbent"), [*((one, True) for one in _UNBENT), *((one, False) for one in _BENT)])
def test_only_values_that_json_cannot_bend_are_spared_the_comparison(hint: Any, unbent: bool):
    @dataclasses.dataclass(frozen=True)
    class Payload:
        value: Any

    Payload.__annotations__["value"] = hint
    assert are_unbent(Payload) is unbent


def test_an_annotation_that_cannot_be_read_is_compared():
    @dataclasses.dataclass(frozen=True)
    class Payload:
        value: "Missing"  # noqa: F821

    assert not are_unbent(Payload)
