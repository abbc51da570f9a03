"""docs/reference/wire-format.md against the frozen messages and the code that writes them."""

import json

import amqp.basic_message

from eventbridge.event import Event, _Envelope
from eventbridge.topology import EVENTS
from eventbridge.transports import ATTEMPT_HEADER, STRUCTURED, Message
from eventbridge.transports.rabbitmq.confirms import _as_amqp
from tests.docs.pages import ROOT, blocks, read, table

PAGE = read("docs/reference/wire-format.md")


def test_the_example_is_the_frozen_message() -> None:
    [example] = [block.text for block in blocks(PAGE) if block.language == "json"]
    frozen = (ROOT / "tests" / "wire" / "order_paid.json").read_text()
    assert list(json.loads(example).items()) == list(json.loads(frozen).items())


def test_every_attribute_is_in_the_table_in_the_order_in_which_it_is_written() -> None:
    documented = [row[0].strip("`") for row in table(PAGE, "attribute")]
    written = [name for name in _Envelope.__struct_fields__ if name != "data_base64"]
    assert [name for name in documented if name != "sequence"] == [name for name in written if name != "sequence"]
    assert documented[0] == "sequence"
    assert set(documented) == {*Event.__dataclass_fields__, "specversion", "datacontenttype"}


def test_every_amqp_property_is_in_the_table() -> None:
    message = Message(destination=EVENTS, routing_key="a.v1", body=b"{}", id="1", type="a.v1", source="/a", timestamp=1)
    sent: amqp.basic_message.Message = _as_amqp(message)
    documented = dict(table(PAGE, "property"))
    assert set(documented) == {f"`{name}`" for name in sent.properties} | {"exchange", "routing key"}
    assert documented["`content_type`"] == f"`{STRUCTURED}`"
    assert documented["exchange"] == f"`{EVENTS}`"


def test_the_header_that_counts_attempts_is_named() -> None:
    assert f"`{ATTEMPT_HEADER}`" in PAGE
