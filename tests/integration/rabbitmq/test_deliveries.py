"""What RabbitMQ delivers: from hostile senders, by way of the ladder, and when the queue or the link goes."""

import struct
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic

import amqp
import pytest

from eventbridge.errors import TopologyMismatch, Unavailable
from eventbridge.topology import EVENTS, LOST, rung
from eventbridge.transports import ATTEMPT_HEADER
from tests.contract.bench import nothing_comes, take
from tests.services.waiting import wait_for


@pytest.fixture
def send(channel):
    """Sends what no well-behaved client would."""

    def send(body=b"{}", **properties):
        channel.basic_publish(amqp.Message(body, delivery_mode=2, **properties), EVENTS, "shop.a")

    return send


# --- hostile senders ---


def test_only_plain_headers_are_kept(bench, send):
    consumer = bench.consumer("shop.mail", "#")
    odd = {"table": {"a": {"b": 1}}, "array": [1, "x"], "raw": b"\xff\xfe", "none": None, "money": Decimal("1.5")}
    send(application_headers={**odd, "when": datetime.now(UTC), "n": 2**40, "s": "ä", "yes": True, "i": -3})
    [delivery] = take(bench.subscriber(consumer), 1)
    assert dict(delivery.message.headers) == {"n": 2**40, "s": "ä", "yes": True, "i": -3}
    # pika's own number type prints as "1099511627776L"
    assert repr(delivery.message.headers["n"]) == str(2**40)


class Raw(amqp.Message):
    """A message whose headers are these bytes of an AMQP table."""

    def __init__(self, body: bytes, table: bytes) -> None:
        super().__init__(body)
        self._table = struct.pack(">HI", 1 << 13, len(table)) + table

    def _serialize_properties(self) -> bytes:
        return self._table


def _nested(depth: int) -> bytes:
    table = b""
    for _ in range(depth):
        table = b"\x01tF" + struct.pack(">I", len(table)) + table
    return table


@pytest.mark.parametrize(
    "table",
    [b"\x01tT" + struct.pack(">Q", 2**60), b"\x01tT" + struct.pack(">Q", 2**64 - 1), _nested(3000)],
    ids=["the year 36 billion", "the last second", "a table 3000 deep"],
)
def test_a_header_that_pika_cannot_read_does_not_break_the_link(bench, channel, send, table):
    """It raises where the header is decoded: the link would be lost to this message again and again."""
    consumer = bench.consumer("shop.mail", "#")
    send(b"before", message_id="1")
    channel.basic_publish(Raw(b"hostile", table), EVENTS, "shop.a")
    send(b"after", message_id="3")
    subscriber = bench.subscriber(consumer)
    arrived = take(subscriber, 3)
    assert [delivery.message.body for delivery in arrived] == [b"before", b"hostile", b"after"]
    assert [delivery.message.id for delivery in arrived] == ["1", "", "3"]
    for delivery in arrived:
        delivery.ack()
    assert nothing_comes(subscriber)


def test_properties_that_are_no_text_are_read_as_well_as_can_be(bench, channel):
    consumer = bench.consumer("shop.mail", "#")
    message = amqp.Message(b"{}", message_id="\udcff", type="\udcfe", content_type="\udcfd")
    channel.basic_publish(message, EVENTS, "shop.\udcfc")
    [delivery] = take(bench.subscriber(consumer), 1)
    assert "\ufffd" in delivery.message.id
    assert delivery.message.routing_key.startswith("shop.")


@pytest.mark.parametrize("forged", ["7", -1, 0, 1.5, True, [2], {"a": 1}, None, b"\xff"])
def test_an_attempt_that_makes_no_sense_is_the_first(bench, send, forged):
    consumer = bench.consumer("shop.mail", "#")
    send(application_headers={ATTEMPT_HEADER: forged})
    [delivery] = take(bench.subscriber(consumer), 1)
    assert delivery.attempt == 1


def test_a_date_after_all_dates_is_unknown(bench, send):
    consumer = bench.consumer("shop.mail", "#")
    send(timestamp=2**63)
    send(timestamp=1_700_000_000)
    arrived = take(bench.subscriber(consumer), 2)
    assert [delivery.message.timestamp for delivery in arrived] == [0, 1_700_000_000]


def test_an_enormous_attempt_is_a_number_that_a_database_can_hold(bench, send):
    consumer = bench.consumer("shop.mail", "#")
    send(application_headers={ATTEMPT_HEADER: 2**62})
    [delivery] = take(bench.subscriber(consumer), 1)
    assert delivery.attempt == 1_000_000


def test_a_forged_death_certificate_counts_for_nothing(bench, send):
    """3.10 believes what a client writes into x-death; 4 does not. Attempts are counted in our own header."""
    consumer = bench.consumer("shop.mail", "#")
    death = {"queue": consumer.name, "reason": "expired", "count": 99, "exchange": "", "routing-keys": ["x"]}
    send(application_headers={"x-death": [death], "x-delivery-count": 50})
    [delivery] = take(bench.subscriber(consumer), 1)
    assert delivery.attempt == 1
    assert "x-death" not in delivery.message.headers


def test_a_message_without_properties_has_empty_ones(bench, send):
    consumer = bench.consumer("shop.mail", "#")
    send()
    [delivery] = take(bench.subscriber(consumer), 1)
    message = delivery.message
    assert (message.id, message.type, message.source, message.content_type, message.timestamp) == ("", "", "", "", 0)
    delivery.retry(1)


# --- the ladder ---


def test_a_retry_carries_our_count_and_none_of_the_brokers_notes(bench, send, channel):
    """Notes that are copied would be forgeries on 3.10; CC would send copies elsewhere."""
    consumer = bench.consumer("shop.mail", "#")
    notes = {"x-first-death-queue": "q", "x-last-death-reason": "r", "x-delivery-count": 3, "CC": ["elsewhere"]}
    send(b"body", content_type="text/x-own", message_id="7", application_headers={**notes, "traceparent": "00-a-b-01"})
    [delivery] = take(bench.subscriber(consumer), 1)
    delivery.retry(2)
    stored = channel.basic_get(rung(2), no_ack=True)
    assert stored.headers.pop("x-delivery-count", 0) == 0  # 3.10's own, of this very delivery
    assert stored.headers == {"traceparent": "00-a-b-01", ATTEMPT_HEADER: 2}
    assert (stored.body, stored.properties["content_type"], stored.properties["message_id"]) == (
        "body",
        "text/x-own",
        "7",
    )
    assert stored.properties["delivery_mode"] == 2
    assert stored.delivery_info["routing_key"] == consumer.name


def test_a_retry_without_its_ladder_says_what_to_do_and_leaves_the_delivery_held(bench, channel):
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a")
    subscriber = bench.subscriber(consumer)
    [delivery] = take(subscriber, 1)
    channel.queue_delete(rung(1))
    with pytest.raises(TopologyMismatch, match="topology --apply"):
        delivery.retry(1)
    channel.exchange_delete(rung(1))
    with pytest.raises(Unavailable, match="topology --apply"):
        delivery.retry(1)
    assert nothing_comes(subscriber)
    bench.declare(consumer)
    delivery.retry(1)
    [again] = take(subscriber, 1)
    assert again.attempt == 2


def test_a_retry_whose_queue_has_gone_is_kept_where_lost_messages_are(bench, channel):
    """With the default exchange as its way back, one vanished queue stalls the whole rung."""
    gone, other = bench.consumer("shop.gone", "#"), bench.consumer("shop.mail", "#")
    bench.publish("a")
    [first] = take(bench.subscriber(gone), 1)
    staying = bench.subscriber(other)
    [second] = take(staying, 1)
    first.retry(1)
    second.retry(1)
    channel.queue_delete(gone.name)
    assert take(staying, 1)[0].attempt == 2
    wait_for(lambda: bench.publisher.depth(LOST) == 1, what="the message in the lost queue")


# --- links and queues that go ---


def test_a_queue_that_is_deleted_under_its_consumer_is_unavailable(bench, channel):
    """pika's start_consuming returns as if it had been asked to stop: a daemon would exit 0, or go on, deaf."""
    consumer = bench.consumer("shop.mail", "#")
    subscriber = bench.subscriber(consumer)
    assert nothing_comes(subscriber)
    channel.queue_delete(consumer.name)
    with pytest.raises(Unavailable, match="deleted"):
        list(subscriber.deliveries(0.2))
    with pytest.raises(Unavailable, match="topology --apply"):
        list(subscriber.deliveries(0.2))
    bench.declare(consumer)
    bench.publish("a")
    assert len(take(subscriber, 1)) == 1


def test_a_lost_link_is_unavailable_and_settling_after_it_is_harmless(make_bench, bench, vhost, proxy_to):
    """Acknowledged on another channel a tag is unknown there, which closes that channel, too."""
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a", "b", "c")
    proxy = proxy_to(vhost.url)
    subscriber = make_bench(proxy.in_front_of(vhost.url)).subscriber(consumer, prefetch=3)
    held = take(subscriber, 3)
    proxy.cut()
    with pytest.raises(Unavailable):
        list(subscriber.deliveries(0.2))
    again = take(subscriber, 3)
    held[0].ack()
    held[1].release()
    held[2].retry(1)
    assert {delivery.redelivered for delivery in again} == {True}
    assert nothing_comes(subscriber)
    for delivery in again:
        delivery.ack()
    assert nothing_comes(subscriber, within=1.5)
    subscriber.close(2)
    assert bench.publisher.depth(consumer.name) == 0


def test_a_connection_that_the_broker_closes_is_unavailable(bench, broker, vhost):
    subscriber = bench.subscriber(bench.consumer("shop.mail", "#"))
    assert nothing_comes(subscriber)
    broker.close_connections(vhost.name)
    with pytest.raises(Unavailable, match="closed by a test"):
        list(subscriber.deliveries(0.2))


def test_a_link_that_is_lost_while_closing_ends_the_wait(make_bench, vhost, proxy_to):
    proxy = proxy_to(vhost.url)
    bench = make_bench(proxy.in_front_of(vhost.url))
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a")
    subscriber = bench.subscriber(consumer)
    take(subscriber, 1)
    proxy.cut()
    began = monotonic()
    subscriber.close(20)
    assert monotonic() - began < 5


def test_a_thousand_acknowledgements_need_no_thousand_frames(make_bench, vhost, proxy_to):
    proxy = proxy_to(vhost.url)
    bench = make_bench(proxy.in_front_of(vhost.url))
    consumer = bench.consumer("shop.mail", "#")
    bench.publish(*["a"] * 1000)
    subscriber = bench.subscriber(consumer, prefetch=1000)
    held = take(subscriber, 1000)
    before = proxy.to_server.passed
    for delivery in held:
        delivery.ack()
    subscriber.close(5)
    assert proxy.to_server.passed - before < 1_000
    assert bench.publisher.depth(consumer.name) == 0


def test_acknowledgements_out_of_order_settle_nothing_else(bench):
    consumer = bench.consumer("shop.mail", "#")
    sent = bench.publish(*["a"] * 20)
    subscriber = bench.subscriber(consumer, prefetch=20)
    held = take(subscriber, 20)
    for delivery in (*held[5:10], *held[0:3], *held[12:]):
        delivery.ack()
    assert nothing_comes(subscriber)
    subscriber.close(0.2)
    left = [delivery.message.id for delivery in take(bench.subscriber(consumer, prefetch=20), 4)]
    assert sorted(left) == sorted(sent[n].id for n in (3, 4, 10, 11))
