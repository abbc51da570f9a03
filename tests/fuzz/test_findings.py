"""What fuzzing has found: messages that could be neither handled nor buried, and letters that took another's place."""

from typing import Any

import amqp
import kombu
import pytest

from eventbridge.errors import MalformedMessage
from eventbridge.models import BrokerMessage, DeadLetter
from eventbridge.models.broker import NewMessage
from eventbridge.obituary import obituary
from eventbridge.replays import Replay, Replays
from eventbridge.topology import EVENTS, REQUEUE
from eventbridge.transports import STRUCTURED, Message
from eventbridge.wire import decode
from tests.contract.bench import Bench, take
from tests.fuzz import fields
from tests.fuzz.client import TEXTS_OF_HEADERS
from tests.services.rabbitmq import Vhost

BODY = b'{"specversion":"1.0","id":"1","source":"/s","type":"shop.a","data":1}'
FULL = 131_072 - 60

# --- a header that the database cannot hold ---


@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "partitionkey"])
def test_half_a_character_in_a_header_is_malformed(name: str):
    """The inbox could not be asked for it, and the process died of that, again and again."""
    attributes = {"specversion": "1.0", "id": "1", "source": "/s", "type": "shop.a", name: "a\ud800"}
    headers = {f"ce-{name}": value for name, value in attributes.items()}
    sent = Message(destination=EVENTS, routing_key="", body=b"1", content_type="application/json", headers=headers)
    with pytest.raises(MalformedMessage, match=f"{name} .* half a character"):
        decode(sent)


# --- the embedded broker's rows ---


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [*TEXTS_OF_HEADERS, ""], ids=lambda headers: headers[:20])
def test_a_row_with_headers_that_nobody_can_read_is_delivered_with_those_that_are_plain(headers: str):
    """They were read in the thread that delivers, which ended the process, every time."""
    bench = Bench("database://")
    consumer = bench.consumer("shop.mail", "#")
    row = NewMessage(consumer.name, "shop.a", "1", "shop.a", "/s", STRUCTURED, headers, BODY)
    BrokerMessage.objects.put(
        [row, row._replace(headers='{"plain": 1, "list": [1], "nested": {"a": 1}, "null": null}')]
    )
    strange, mixed = take(bench.subscriber(consumer), 2)
    assert all(isinstance(value, str | int | float) for value in strange.message.headers.values())
    assert mixed.message.headers == {"plain": 1}
    for delivery in (strange, mixed):
        delivery.ack()
    bench.close()


# --- what a retry has to carry on ---


def send(vhost: Vhost, properties: dict[str, Any]) -> None:
    class Raw(amqp.Message):  # type: ignore[misc]
        def _serialize_properties(self) -> bytes:
            return fields.properties(properties)

    with kombu.Connection(vhost.url) as connection:
        connection.default_channel.basic_publish(Raw(BODY), EVENTS, "shop.a")


@pytest.mark.parametrize("name", ["content_type", "message_id", "type", "app_id"])
def test_a_name_that_is_not_utf_8_can_be_retried(vhost: Vhost, name: str):
    """Made readable it was three times as long, which AMQP cannot carry: its consumer waited for ever."""
    bench = Bench(vhost.url)
    consumer = bench.consumer("shop.mail", "#")
    send(vhost, {name: b"application/cloudevents;" + b"\xff" * 231})
    subscriber = bench.subscriber(consumer)
    [first] = take(subscriber, 1)
    first.retry(1)
    [second] = take(subscriber, 1)
    assert (second.attempt, second.message.body) == (2, BODY)
    assert second.message.content_type == first.message.content_type
    second.ack()
    bench.close()


@pytest.mark.parametrize("names", [1, 1_500], ids=["one header", "many headers"])
def test_headers_that_leave_no_room_for_our_count_can_be_retried(vhost: Vhost, names: int):
    """A header frame is never split: the broker would close the connection at every try to store the retry."""
    bench = Bench(vhost.url)
    consumer = bench.consumer("shop.mail", "#")
    large = [(b"%d" % n, fields.text("a" * (FULL // names - 10))) for n in range(names)]
    send(vhost, {"headers": fields.table([*large, (b"ce-subject", fields.text("42"))]), "delivery_mode": 2})
    subscriber = bench.subscriber(consumer)
    [first] = take(subscriber, 1)
    assert first.message.headers["ce-subject"] == "42"
    first.retry(1)
    [second] = take(subscriber, 1)
    assert (second.attempt, second.message.body) == (2, BODY)
    second.ack()
    bench.close()


@pytest.mark.parametrize("number", [1e308, -1e308, 2.0**63, 1.5])
def test_a_number_of_any_size_can_be_retried(vhost: Vhost, number: float):
    """pika makes a whole number of a double, of 308 digits at most: AMQP has 64 bits for it."""
    bench = Bench(vhost.url)
    consumer = bench.consumer("shop.mail", "#")
    send(vhost, {"headers": fields.table([(b"number", fields.real("d", number))])})
    subscriber = bench.subscriber(consumer)
    [first] = take(subscriber, 1)
    first.retry(1)
    [second] = take(subscriber, 1)
    assert second.attempt == 2
    second.ack()
    bench.close()


# --- the dead letter ---


def message(**changes: Any) -> Message:
    return Message(**{"destination": EVENTS, "routing_key": "shop.a", "body": BODY, **changes})


def bury(sent: Message) -> DeadLetter:
    try:
        event = decode(sent)
    except MalformedMessage:
        event = None
    letter = obituary("shop.mail", sent, event, DeadLetter.Reason.FAILED, ValueError("no"), 1)
    DeadLetter.objects.bury(letter)
    return letter


@pytest.mark.django_db
@pytest.mark.parametrize(
    "forgery",
    [{"routing_key": "shop.b"}, {"content_type": "text/plain"}, {"headers": {"ce-id": "2"}}],
    ids=["under another key", "of another content type", "with other attributes"],
)
@pytest.mark.parametrize("first", ["the forgery", "the event"])
def test_a_copy_that_cannot_be_replayed_does_not_take_the_place_of_the_event(forgery: dict[str, Any], first: str):
    """The same body under another routing key was the same letter: of the two, the one that came first was kept."""
    for sent in (message(**forgery), message()) if first == "the forgery" else (message(), message(**forgery)):
        bury(sent)
    found = {(x.routing_key, x.content_type, x.headers.get("ce-id")) for x in DeadLetter.objects.all()}
    assert len(found) == 2
    assert ("shop.a", STRUCTURED, None) in found


@pytest.mark.django_db
def test_an_event_that_came_by_itself_and_by_the_ladder_is_one_letter():
    bury(message())
    bury(message(destination=REQUEUE, routing_key="shop.mail"))
    assert DeadLetter.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"routing_key": "\x00" * 300},
        {"content_type": "a" * 300, "routing_key": "shop.mail"},
        {"headers": {"ce-id": "\x00\ud800", "ce-n": float("inf"), "ce-\x00": True}, "content_type": "a/json"},
        {"headers": {"cloudEvents_id": "a" * 30_000, "traceparent": "x"}, "body": b""},
    ],
    ids=["an event", "a key", "a content type", "binary", "nothing"],
)
def test_a_replay_that_dies_is_the_same_letter(changes: dict[str, Any]):
    before = bury(message(**changes))
    again = Replay(Replays("shop.mail", "default", 1), DeadLetter.objects.get(), redelivered=False).message
    assert bury(again).fingerprint == before.fingerprint
    assert DeadLetter.objects.count() == 1
