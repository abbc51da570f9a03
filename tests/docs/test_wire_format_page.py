"""docs/reference/wire-format.md against the frozen messages and the code that writes them."""

import dataclasses
import json

import kombu
import pytest

from eventbridge import Consumer, Event, emit, event_type, tracing
from eventbridge.event import cause
from eventbridge.models import OutboxEntry
from eventbridge.topology import EVENTS, topology_of
from eventbridge.transports import ATTEMPT_HEADER, STRUCTURED, Message, Options
from eventbridge.transports.rabbitmq import Publisher, declare
from tests.docs.pages import ROOT, blocks, read, table
from tests.services.rabbitmq import Vhost

PAGE = read("docs/reference/wire-format.md")
FROZEN = (ROOT / "tests" / "wire" / "order_paid.json").read_text()


@event_type("docs.told.v1")
class Told:
    pass


def test_the_example_is_the_frozen_message() -> None:
    [example] = [block.text for block in blocks(PAGE) if block.language == "json"]
    assert list(json.loads(example).items()) == list(json.loads(FROZEN).items())


def test_every_attribute_is_in_the_table_in_the_order_in_which_it_is_written() -> None:
    documented = [row[0].strip("`") for row in table(PAGE, "attribute")]
    assert documented == list(json.loads(FROZEN))
    assert set(documented) == {*Event.__dataclass_fields__, "specversion", "datacontenttype"}


def test_every_amqp_property_is_in_the_table(vhost: Vhost) -> None:
    message = Message(destination=EVENTS, routing_key="a.v1", body=b"{}", id="1", type="a.v1", source="/a", timestamp=1)
    options = Options(url=vhost.url)
    consumer = Consumer("theirs")
    consumer.handles("a.#")(print)
    declare(options, topology_of([consumer]))
    publisher = Publisher(options)
    publisher.publish([message])
    publisher.close(2)
    with kombu.Connection(vhost.url) as connection:
        found = connection.default_channel.basic_get("theirs", no_ack=True)
    headers = found.properties.pop("application_headers", {})
    assert all(name.startswith("x-") for name in headers), "the broker's own notes, and nothing of ours"
    sent = {name for name, value in found.properties.items() if value}
    documented = dict(table(PAGE, "property"))
    assert set(documented) == {f"`{name}`" for name in sent} | {"exchange", "routing key"}
    assert documented["`content_type`"] == f"`{STRUCTURED}`"
    assert documented["exchange"] == f"`{EVENTS}`"


def test_every_header_of_ours_is_in_the_table() -> None:
    documented = [row[0].strip("`") for row in table(PAGE, "header")]
    assert documented == [ATTEMPT_HEADER, *tracing.HEADERS]


@pytest.mark.django_db
def test_an_event_brings_no_other_header_along_than_those_of_the_table() -> None:
    caused = dataclasses.replace(Event.about(Told(), source="/a"), traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    token = cause.set(caused)
    try:
        emit(Told())
    finally:
        cause.reset(token)
    headers = json.loads(OutboxEntry.objects.get().headers)
    assert list(headers) == ["traceparent"]
    assert set(headers) <= {row[0].strip("`") for row in table(PAGE, "header")}
