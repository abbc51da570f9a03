"""What every Publisher promises."""

from contextlib import suppress
from dataclasses import replace

import amqp
import kombu
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eventbridge.consumer import Consumer
from eventbridge.topology import EVENTS, matches, topology_of
from tests.contract.bench import Bench, nothing_comes, states, take


def test_each_message_has_an_outcome_of_its_own_in_the_order_of_publishing(bench: Bench) -> None:
    bench.consumer("shop.mail", "shop.order.*")
    keys = ["shop.order.paid", "shop.nobody.cares", "shop.order.sent", "shop.order", "shop.order.lost"]
    outcomes = bench.publisher.publish([bench.message(key) for key in keys])
    assert states(outcomes) == ["confirmed", "unroutable", "confirmed", "unroutable", "confirmed"]


def test_publishing_nothing_says_nothing(bench: Bench) -> None:
    assert list(bench.publisher.publish([])) == []


def test_every_queue_that_is_bound_gets_its_copy(bench: Bench) -> None:
    mail = bench.consumer("shop.mail", "shop.order.*")
    stock = bench.consumer("shop.stock", "#")
    bench.consumer("shop.other", "shop.user.*")
    [sent] = bench.publish("shop.order.paid")
    for consumer in (mail, stock):
        [delivery] = take(bench.subscriber(consumer), 1)
        assert (delivery.message.id, delivery.message.body) == (sent.id, sent.body)
    assert bench.publisher.depth("shop.other") == 0


def test_a_queue_gets_one_copy_though_several_of_its_bindings_match(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "shop.#", "#.paid", "shop.order.paid")
    [sent] = bench.publish("shop.order.paid")
    subscriber = bench.subscriber(consumer)
    [delivery] = take(subscriber, 1)
    delivery.ack()
    assert delivery.message.id == sent.id
    assert nothing_comes(subscriber)


def test_a_message_arrives_as_it_was_sent(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "shop.*")
    headers = {"traceparent": "00-ab-cd-01", "größe": "zehn", "count": 2**40, "sure": True}
    sent = [
        bench.message("shop.a", body=bytes(range(256)) * 5, headers=headers, content_type="text/plain"),
        bench.message("shop.b", body=b""),
        bench.message("shop.c", body=b"x" * 400_000),
        bench.message("shop.d", id="", type="", source="", content_type=""),
    ]
    assert states(bench.publisher.publish(sent)) == ["confirmed"] * 4
    for message, delivery in zip(sent, take(bench.subscriber(consumer), 4), strict=True):
        arrived = delivery.message
        assert replace(arrived, headers={}) == replace(message, headers={}, timestamp=arrived.timestamp)
        assert dict(arrived.headers) == dict(message.headers)


def test_messages_of_one_batch_arrive_in_its_order(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "shop.*")
    sent = [m.id for _ in range(3) for m in bench.publish(*["shop.a"] * 700)]
    subscriber = bench.subscriber(consumer, prefetch=100)
    arrived = []
    for delivery in subscriber.deliveries(1):
        assert delivery is not None
        arrived.append(delivery.message.id)
        delivery.ack()
        if len(arrived) == len(sent):
            break
    assert arrived == sent


def test_the_same_message_may_be_published_twice_in_one_batch(bench: Bench) -> None:
    """A replay beside its original: outcomes cannot be told apart by the id alone."""
    consumer = bench.consumer("shop.mail", "shop.mail.*")
    wanted, unwanted = bench.message("shop.mail.a"), bench.message("shop.nobody")
    twins = [unwanted, wanted, unwanted, replace(wanted, id=unwanted.id), wanted, unwanted]
    outcomes = states(bench.publisher.publish(twins))
    assert outcomes == ["unroutable", "confirmed", "unroutable", "confirmed", "confirmed", "unroutable"]
    assert len(take(bench.subscriber(consumer), 3)) == 3


def test_depth_counts_what_waits_and_knows_no_queue_that_is_not_there(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a", "b", "c")
    assert bench.publisher.depth(consumer.name) == 3
    assert not bench.publisher.depth("shop.nowhere")
    assert states(bench.publisher.publish([bench.message("d")])) == ["confirmed"]


def test_declaring_again_changes_nothing(bench: Bench) -> None:
    consumer = Consumer("shop.mail", retries=(1,))
    consumer.handles("shop.*")(print)
    assert any("shop.mail" in line for line in bench.missing(consumer))
    bench.declare(consumer)
    assert bench.missing(consumer) == []
    bench.publish("shop.a")
    bench.declare(consumer)
    assert bench.publisher.depth("shop.mail") == 1


def test_closing_a_publisher_twice_is_harmless(bench: Bench) -> None:
    bench.consumer("shop.mail", "#")
    bench.publish("a")
    bench.publisher.close(1)
    bench.publisher.close(1)


# --- routing, against the oracle ---

WORDS = st.sampled_from(["a", "b", "ab", "a-b_1", "Ä"])
KEYS = st.lists(WORDS, min_size=1, max_size=5).map(".".join)
PATTERNS = st.lists(WORDS | st.sampled_from(["*", "#"]), min_size=1, max_size=5).map(".".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=PATTERNS, keys=st.lists(KEYS, min_size=1, max_size=25))
@example(pattern="a.#", keys=["a", "a.b", "a.b.ab", "ab", "b.a"])  # '#' is zero words, too
@example(pattern="#.a", keys=["a", "b.a", "a.b"])
@example(pattern="a.#.b", keys=["a.b", "a.a.b", "a.b.a.b", "a"])
@example(pattern="#.#", keys=["a", "a.b"])
@example(pattern="*.#.*", keys=["a", "a.b", "a.b.a"])
def test_a_key_is_routed_by_the_rules_of_amqp(bench: Bench, pattern: str, keys: list[str]) -> None:
    consumer = Consumer("shop.patterns", retries=(1,))
    consumer.handles(pattern)(print)
    bench.declare(consumer)
    try:
        outcomes = bench.publisher.publish([bench.message(key) for key in keys])
        routed = {key: outcome.state == "confirmed" for key, outcome in zip(keys, outcomes, strict=True)}
        assert routed == {key: matches(pattern, key) for key in keys}
    finally:
        _unbind(bench, pattern)


def _unbind(bench: Bench, pattern: str) -> None:
    """The embedded transport forgets a binding that is no longer declared; AMQP cannot list them."""
    if bench.url.startswith("amqp"):
        with kombu.Connection(bench.url) as connection, suppress(amqp.exceptions.NotFound):
            connection.default_channel.queue_unbind("shop.patterns", EVENTS, pattern)


def test_the_topology_of_two_consumers_is_declared_together(bench: Bench) -> None:
    mail, stock = Consumer("shop.mail", retries=(1,)), Consumer("shop.stock", retries=(1, 2))
    mail.handles("a")(print)
    stock.handles("b")(print)
    bench.module.declare(bench.options, topology_of([mail, stock]))
    assert bench.missing(mail, stock) == []
    assert states(bench.publisher.publish([bench.message(key) for key in "abc"])) == [
        "confirmed",
        "confirmed",
        "unroutable",
    ]
