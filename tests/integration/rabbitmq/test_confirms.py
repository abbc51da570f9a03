"""The broker's answers, and when not to believe them. The numbers are those of the pitfalls that were met."""

import threading
from collections import defaultdict
from time import monotonic

import amqp
import pytest

from eventbridge.errors import Unavailable
from eventbridge.topology import EVENTS
from eventbridge.transports import Message
from eventbridge.transports.rabbitmq.confirms import ConfirmChannel
from tests.contract.bench import Bench, states, take
from tests.services.rabbitmq import RabbitMQ
from tests.services.waiting import wait_for


def test_a_late_confirm_is_not_taken_for_that_of_a_later_message(bench, make_bench, vhost, proxy_to):
    """kombu's confirm_publish waits for the next confirm, whatever its tag: the late one of `lost`
    would have confirmed `later`, which the network swallowed."""
    bench.consumer("shop.mail", "#")
    proxy = proxy_to(vhost.url)
    publisher = make_bench(proxy.in_front_of(vhost.url), confirm_timeout=1.5, connect_timeout=1).publisher
    assert states(publisher.publish([bench.message("before")])) == ["confirmed"]
    proxy.to_client.hold()
    with pytest.raises(Unavailable, match="did not answer within") as late:
        publisher.publish([bench.message("late")])
    assert list(late.value.outcomes) == [None]
    proxy.to_server.swallow()
    proxy.to_client.flow()
    with pytest.raises(Unavailable) as swallowed:
        publisher.publish([bench.message("later")])
    assert list(swallowed.value.outcomes) == [None]
    assert bench.publisher.depth("shop.mail") == 2
    proxy.to_server.flow()
    assert states(publisher.publish([bench.message("later")])) == ["confirmed"]
    assert proxy.connections > 1


def test_a_returned_message_does_not_shift_the_answers_of_the_next(bench):
    """Without a handler py-amqp raises before it has read the Ack of what was returned."""
    bench.consumer("shop.mail", "shop.*")
    for _ in range(3):
        assert states(bench.publisher.publish([bench.message("nobody")])) == ["unroutable"]
        assert states(bench.publisher.publish([bench.message("shop.a")])) == ["confirmed"]


def test_returns_are_matched_in_the_order_of_publishing():
    """Four messages that look the same are under way. Both Returns may come before the first Ack."""
    said = {}
    channel = ConfirmChannel(FakeConnection(), said.__setitem__)
    message = Message(destination=EVENTS, routing_key="a", body=b"", id="same")
    for slot in (10, 11, 12, 13):
        channel.publish(slot, message)
    looks = EVENTS, "a", amqp.Message(b"", message_id="same")
    channel._on_return(None, *looks)
    channel._on_return(None, *looks)
    channel._on_ack(3, multiple=False)
    channel._on_ack(2, multiple=True)
    channel._on_ack(2, multiple=True)
    channel._on_nack(9, multiple=False)
    assert channel.slots == [13]
    channel._on_nack(4, multiple=True)
    assert {slot: outcome.state for slot, outcome in said.items()} == {
        10: "unroutable",
        11: "unroutable",
        12: "confirmed",
        13: "nacked",
    }


class FakeConnection:
    """Of a py-amqp connection, what a ConfirmChannel uses to publish."""

    channel_id = 1
    frame_max = 131_072

    def __init__(self):
        self.events = defaultdict(set)

    def channel(self):
        return self

    def confirm_select(self):
        pass


def test_a_full_batch_of_returns_is_read_while_more_is_published(bench):
    """Returns carry the whole message back: unread they would fill the socket."""
    bench.consumer("shop.mail", "shop.*")
    batch = [bench.message("nobody" if n % 3 else "shop.a", body=b"x" * 20_000) for n in range(1_500)]
    outcomes = states(bench.publisher.publish(batch))
    assert outcomes == ["unroutable" if n % 3 else "confirmed" for n in range(1_500)]


def test_what_a_full_queue_rejects_is_nacked_and_can_be_sent_again(bench, channel):
    arguments = {"x-max-length": 2, "x-overflow": "reject-publish"}
    channel.exchange_declare(EVENTS, "topic", durable=True, auto_delete=False)
    channel.queue_declare("full", durable=True, auto_delete=False, arguments=arguments)
    channel.queue_bind("full", EVENTS, "#")
    batch = [bench.message("a") for _ in range(4)]
    assert states(bench.publisher.publish(batch)) == ["confirmed", "confirmed", "nacked", "nacked"]
    channel.queue_purge("full")
    assert states(bench.publisher.publish(batch[2:])) == ["confirmed", "confirmed"]


def test_a_topic_that_may_not_be_written_is_refused_and_the_rest_is_published(bench, user):
    """The channel closes in mid-batch, and says nothing about what came after."""
    bench.consumer("shop.mail", "#")
    url = user("relay", "^$", "^eventbridge[.]events$", "^$", topics="^shop[.]")
    publisher = Bench(url).publisher
    keys = ["shop.a"] * 40
    for forbidden in (0, 7, 8, 39):
        keys[forbidden] = "other.a"
    outcomes = publisher.publish([bench.message(key) for key in keys])
    publisher.close(1)
    assert states(outcomes) == ["refused" if key == "other.a" else "confirmed" for key in keys]
    assert "other.a" in outcomes[7].why
    subscriber = bench.subscriber(bench.consumer("shop.mail", "#"), prefetch=100)
    assert {delivery.message.routing_key for delivery in take(subscriber, 36)} == {"shop.a"}


def test_a_message_that_is_too_large_is_refused_and_the_rest_is_published(bench, broker_in_danger: RabbitMQ):
    bench.consumer("shop.mail", "#")
    limit = broker_in_danger.ctl("eval", "element(2, application:get_env(rabbit, max_message_size)).").strip()
    _limit_messages_to(broker_in_danger, "100000")
    try:
        batch = [bench.message("a", body=b"x" * size) for size in (10, 100, 300_000, 10, 10)]
        outcomes = bench.publisher.publish(batch)
    finally:
        _limit_messages_to(broker_in_danger, limit)
    assert states(outcomes) == ["confirmed", "confirmed", "refused", "confirmed", "confirmed"]
    assert "size" in outcomes[2].why


def _limit_messages_to(broker, size):
    """3.10 looks into its environment, 4 into a persistent term."""
    environment, term = f"application:set_env(rabbit, max_message_size, {size})", "persistent_term:put"
    broker.ctl("eval", f"{environment}, {term}(max_message_size, {size}).")


@pytest.mark.parametrize(
    "hostile",
    [
        {"routing_key": "k" * 256},
        {"id": "i" * 300},
        {"type": "t" * 256},
        {"headers": {"n": 2**70}},
        {"headers": {"h" * 300: "x"}},
        {"timestamp": -5},
        {"destination": "e" * 256},
    ],
    ids=lambda hostile: next(iter(hostile)),
)
def test_what_amqp_cannot_carry_is_refused_alone(make_bench, vhost, proxy_to, hostile):
    """Were it an error of the link, it would block the head of the outbox for ever."""
    proxy = proxy_to(vhost.url)
    bench = make_bench(proxy.in_front_of(vhost.url))
    bench.consumer("shop.mail", "#")
    before = proxy.connections
    batch = [bench.message("a"), bench.message("a", **hostile), bench.message("a")]
    outcomes = bench.publisher.publish(batch)
    assert states(outcomes) == ["confirmed", "refused", "confirmed"]
    assert outcomes[1].why.startswith("AMQP cannot carry it: ")
    assert proxy.connections == before + 1


def test_a_missing_exchange_makes_messages_wait_and_says_what_to_do(bench, channel):
    """Refused, they would all be parked, because somebody had not applied the topology yet."""
    messages = [bench.message("a") for _ in range(5)]
    with pytest.raises(Unavailable, match="topology --apply") as missing:
        bench.publisher.publish(messages)
    assert list(missing.value.outcomes) == [None] * 5
    bench.consumer("shop.mail", "#")
    assert states(bench.publisher.publish(messages)) == ["confirmed"] * 5


def test_messages_to_other_exchanges_do_not_wait_for_a_missing_one(bench):
    bench.consumer("shop.mail", "#")
    batch = [bench.message("a", destination=EVENTS if n % 2 else "nowhere") for n in range(10)]
    with pytest.raises(Unavailable, match="nowhere") as missing:
        bench.publisher.publish(batch)
    assert [outcome and outcome.state for outcome in missing.value.outcomes] == [None, "confirmed"] * 5


def test_a_right_that_was_taken_away_makes_messages_wait(bench, user):
    bench.consumer("shop.mail", "#")
    publisher = Bench(user("relay", "^$", "^$", "^$")).publisher
    with pytest.raises(Unavailable, match="right to write") as forbidden:
        publisher.publish([bench.message("a"), bench.message("b")])
    publisher.close(1)
    assert list(forbidden.value.outcomes) == [None, None]


def test_a_channel_that_was_closed_is_in_confirm_mode_again(bench):
    """py-amqp opens it again by itself, without confirms and with tags from 1 (amqp/channel.py, _do_revive)."""
    bench.consumer("shop.mail", "#")
    for _ in range(3):
        with pytest.raises(Unavailable):
            bench.publisher.publish([bench.message("a", destination="nowhere")])
        assert states(bench.publisher.publish([bench.message("a"), bench.message("b")])) == ["confirmed"] * 2


def test_what_was_confirmed_before_the_link_was_lost_is_known(bench, make_bench, vhost, proxy_to):
    bench.consumer("shop.mail", "#")
    proxy = proxy_to(vhost.url)
    publisher = make_bench(proxy.in_front_of(vhost.url)).publisher
    publisher.publish([bench.message("first")])
    sent = proxy.to_server.passed

    def cut_in_the_middle() -> None:
        wait_for(lambda: proxy.to_server.passed > sent + 1_000_000, every=0.001)
        proxy.cut()

    cutter = threading.Thread(target=cut_in_the_middle)
    cutter.start()
    with pytest.raises(Unavailable) as lost:
        publisher.publish([bench.message("a", body=b"x" * 500) for _ in range(20_000)])
    cutter.join()
    confirmed = [outcome for outcome in lost.value.outcomes if outcome is not None]
    assert set(states(confirmed)) == {"confirmed"}
    assert 0 < len(confirmed) < 20_000
    assert bench.publisher.depth("shop.mail") > len(confirmed)
    assert states(publisher.publish([bench.message("again")])) == ["confirmed"]


def test_an_interrupted_publish_answers_no_later_one(bench, monkeypatch):
    bench.consumer("shop.mail", "shop.*")
    bench.publish("shop.a")

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ConfirmChannel, "read", interrupt)
        with pytest.raises(KeyboardInterrupt):
            bench.publisher.publish([bench.message("shop.a")] * 3)
    outcomes = bench.publisher.publish([bench.message(key) for key in ("nobody", "shop.a", "nobody")])
    assert states(outcomes) == ["unroutable", "confirmed", "unroutable"]


def test_threads_may_share_a_publisher(bench):
    """Four threads on one channel of py-amqp's all time out. The workers of a consumer share one for retries."""
    bench.consumer("shop.mail", "shop.#")
    answers = {}

    def publish(n):
        keys = ["shop.a" if i % (n + 2) else "nobody" for i in range(200)]
        answers[n] = keys, states(bench.publisher.publish([bench.message(key) for key in keys]))

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 4
    for keys, outcomes in answers.values():
        assert outcomes == ["confirmed" if key == "shop.a" else "unroutable" for key in keys]


def test_close_releases_a_publish_that_waits_in_another_thread(bench, make_bench, vhost, proxy_to):
    bench.consumer("shop.mail", "#")
    proxy = proxy_to(vhost.url)
    publisher = make_bench(proxy.in_front_of(vhost.url), confirm_timeout=30).publisher
    publisher.publish([bench.message("a")])
    proxy.to_client.hold()
    errors: list[BaseException] = []

    def publish() -> None:
        try:
            publisher.publish([bench.message("b")])
        except Unavailable as error:
            errors.append(error)

    thread = threading.Thread(target=publish)
    passed = proxy.to_server.passed
    thread.start()
    wait_for(lambda: proxy.to_server.passed > passed, what="the message to be sent")
    began = monotonic()
    publisher.close(0.5)
    thread.join(5)
    assert monotonic() - began < 3
    assert len(errors) == 1
    with pytest.raises(Unavailable, match="closed"):
        publisher.publish([bench.message("c")])
