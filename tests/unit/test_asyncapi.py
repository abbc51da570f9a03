"""The events as an AsyncAPI document: complete, without loose ends, and true of what is sent."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from eventbridge import Consumer, Event, event_type
from eventbridge.asyncapi import asyncapi
from eventbridge.wire import encode, with_sequence


@event_type("asyncapi.line.added.v1", key="order_id")
class LineAdded:
    """A line was added.

    More of it.
    """

    order_id: int
    parts: list["Part"]


@event_type("asyncapi.part.v1")
class Part:
    name: str
    price: float | None = None


consumer = Consumer("asyncapi.listener")


@consumer.handles("asyncapi.line.#")
def listen(event: Event[Any]) -> None: ...


@pytest.fixture
def document() -> dict[str, Any]:
    return asyncapi("/shop", [consumer], "2.1.0")


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_it_is_plain_json_that_refers_to_nothing_that_is_not_there(document):
    assert json.loads(json.dumps(document)) == document
    found = set(references(document))
    assert "#/components/schemas/asyncapi.line.added.v1..Part" in found
    for reference in found:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_a_type_is_a_channel_by_its_routing_key_with_its_message(document):
    channel = document["channels"]["asyncapi.line.added.v1"]
    assert channel["address"] == "asyncapi.line.added.v1"
    assert channel["bindings"]["amqp"]["exchange"]["name"] == "eventbridge.events"
    message = document["components"]["messages"]["asyncapi.line.added.v1"]
    assert (message["title"], message["summary"]) == ("LineAdded", "A line was added.")
    assert document["components"]["messages"]["asyncapi.part.v1"]["summary"] == ""
    assert document["info"]["version"] == "2.1.0"


def test_it_says_who_sends_and_who_receives(document):
    actions = {name: operation["action"] for name, operation in document["operations"].items() if "asyncapi." in name}
    assert actions == {
        "send asyncapi.line.added.v1": "send",
        "send asyncapi.part.v1": "send",
        "receive asyncapi.line.added.v1 as asyncapi.listener": "receive",
    }


def test_every_attribute_that_is_sent_is_in_it(document):
    event = Event.about(LineAdded(order_id=4, parts=[Part(name="a")]), source="/shop", time=datetime.now(UTC))
    sent = json.loads(with_sequence(encode(event), 7))
    envelope, own = document["components"]["schemas"][".cloudEvent"], ["type", "data"]
    assert set(sent) <= {*envelope["properties"], *own}
    assert set(envelope["required"]) <= set(sent)


def test_classes_of_one_name_are_told_apart(document):
    """As where two versions of a type are made by one function."""

    def made(name: str, hint: Any) -> None:
        class Twin:
            value: Any

        Twin.__annotations__["value"] = hint
        event_type(name)(Twin)

    made("asyncapi.twin.v1", int)
    made("asyncapi.twin.v2", str)
    schemas = asyncapi("/shop", [], "1")["components"]["schemas"]
    found = [schemas[f"asyncapi.twin.{version}..Twin"]["properties"]["value"]["type"] for version in ("v1", "v2")]
    assert found == ["integer", "string"]
