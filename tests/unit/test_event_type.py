"""@event_type: what becomes of a class, and which names and keys it takes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, ClassVar

import pytest

from eventbridge import Event, event_type
from eventbridge.event import event_type_of, event_types
from eventbridge.transports import Message
from eventbridge.wire import decode, encode


@dataclasses.dataclass(frozen=True)
class Address:
    city: str


@event_type("unit.parcel.sent.v1", key="number")
class ParcelSent:
    """A parcel was sent."""

    number: int
    to: Address
    fragile: bool = False
    notes: list[str] = dataclasses.field(default_factory=list)
    LARGEST: ClassVar[int] = 30

    @property
    def label(self) -> str:
        return f"{self.number} {self.to.city}"


@event_type("unit.parcel.insured.v1", key="number")
class InsuredParcelSent(ParcelSent):
    value: int


def sent(**fields: Any) -> ParcelSent:
    return ParcelSent(**{"number": 1, "to": Address("Ulm"), **fields})


def received(body: bytes) -> Event[Any]:
    return decode(Message(destination="", routing_key="", body=body))


def test_a_payload_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        sent().number = 2  # type: ignore[misc]


def test_a_payload_takes_its_fields_by_name_only():
    with pytest.raises(TypeError):
        ParcelSent(1, Address("Ulm"))  # type: ignore[misc]


def test_a_payload_has_slots():
    assert not hasattr(sent(), "__dict__")


def test_a_payload_takes_no_field_that_it_has_not():
    with pytest.raises(TypeError, match="weight"):
        sent(weight=5)


def test_payloads_compare_by_value():
    assert sent() == sent()
    assert sent() != sent(number=2)


def test_a_payload_keeps_its_name_its_docstring_and_its_methods():
    assert (ParcelSent.__name__, ParcelSent.__doc__) == ("ParcelSent", "A parcel was sent.")
    assert sent().label == "1 Ulm"
    assert ParcelSent.LARGEST == 30


def test_defaults_are_written_and_class_variables_are_not():
    data = json.loads(encode(Event.about(sent(), source="/s")))["data"]
    assert data == {"number": 1, "to": {"city": "Ulm"}, "fragile": False, "notes": []}


def test_a_default_is_read_where_an_older_sender_left_the_field_out():
    body = b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"number":1,"to":{"city":"Ulm"}}}'
    assert received(body).read_as(ParcelSent).data == sent()


def test_a_child_of_a_payload_class_is_an_event_type_of_its_own():
    payload = InsuredParcelSent(number=1, to=Address("Ulm"), value=5)
    event = Event.about(payload, source="/s")
    assert event.type == "unit.parcel.insured.v1"
    assert received(encode(event)).read_as(InsuredParcelSent).data == payload
    assert payload.label == "1 Ulm"


def test_a_child_without_the_decorator_is_no_event():
    class Undeclared(ParcelSent):
        pass

    with pytest.raises(TypeError, match="Undeclared is no event: decorate the class"):
        event_type_of(Undeclared)


@pytest.mark.parametrize("other", [int, dict, "unit.parcel.sent.v1", None, []])
def test_what_is_no_payload_class_is_refused(other):
    with pytest.raises(TypeError, match="is no event"):
        event_type_of(other)


@pytest.mark.parametrize(
    "name",
    ["", ".", "a.", ".a", "a..b", "a b", "a.*", "a.#", "a/b", "ä.b", "a\n", "a.b\n", "a" * 256, "a:b", " a"],
)
def test_a_name_that_cannot_be_routed_is_refused(name):
    with pytest.raises(ValueError, match="use words of"):
        event_type(name)


@pytest.mark.parametrize("name", ["a", "a.b", "Shop_1.order-paid.v10", "a" * 255])
def test_words_with_dots_between_are_a_name(name):
    @event_type(name)
    class Payload:
        x: int

    assert event_type_of(Payload).name == name


@pytest.mark.parametrize("key", ["", "numbr", "LARGEST", "label"])
def test_a_key_that_is_no_field_is_refused_with_the_fields_there_are(key):
    with pytest.raises(ValueError, match=rf"key='{key}' is none of its fields \(number\)"):

        @event_type("unit.keyed.v1", key=key)
        class Keyed:
            number: int
            LARGEST: ClassVar[int] = 1
            label = "no field"

    assert not [kind for kind in event_types.values() if kind.name == "unit.keyed.v1"]


def test_the_key_gives_subject_and_partition():
    event = Event.about(sent(number=42), source="/s")
    assert (event.subject, event.partitionkey) == ("42", "number:42")


def test_a_key_without_a_value_gives_neither():
    @event_type("unit.keyless.v1", key="number")
    class Keyless:
        number: int | None

    event = Event.about(Keyless(number=None), source="/s")
    assert (event.subject, event.partitionkey) == (None, None)
    assert b"subject" not in encode(event)


def test_zero_is_a_key_like_any_other():
    assert Event.about(sent(number=0), source="/s").partitionkey == "number:0"


def test_the_schema_of_the_data_is_json_schema():
    schema = event_type_of(ParcelSent).schema()
    definition = schema["$defs"]["ParcelSent"]
    assert definition["required"] == ["number", "to"]
    assert definition["description"] == "A parcel was sent."
    assert definition["properties"]["number"] == {"type": "integer"}


def test_a_schema_url_gives_each_event_its_dataschema():
    event = Event.about(sent(), source="/s", schemas="https://schemas.example.org/")
    assert event.dataschema == "https://schemas.example.org/unit.parcel.sent.v1.json"


def test_an_event_itself_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Event.about(sent(), source="/s").id = "2"  # type: ignore[misc]
