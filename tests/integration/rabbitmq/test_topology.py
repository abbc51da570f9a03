"""Declaring, looking for what is missing, and users with the fewest rights."""

import pytest

from eventbridge.consumer import Consumer
from eventbridge.errors import TopologyMismatch, Unavailable
from eventbridge.topology import EVENTS, REQUEUE, rung, topology_of
from eventbridge.transports import Options
from eventbridge.transports.rabbitmq import missing
from tests.contract.bench import Bench, states, take


def _consumer(name="shop.mail", **policy):
    consumer = Consumer(name, retries=(1, 30), **policy)
    consumer.handles("shop.*")(print)
    return consumer


def test_what_is_there_but_other_is_named_with_what_to_do_and_the_rest_is_declared(bench, channel):
    other = {**next(q for q in topology_of([_consumer()]).queues if q.name == rung(1)).arguments, "x-message-ttl": 9}
    channel.queue_declare(rung(1), durable=True, auto_delete=False, arguments=other)
    channel.queue_declare("shop.mail", durable=True, auto_delete=False)
    channel.exchange_declare(REQUEUE, "fanout", durable=True, auto_delete=False)
    with pytest.raises(TopologyMismatch) as mismatch:
        bench.declare(_consumer())
    lines = str(mismatch.value).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"direct exchange {REQUEUE} is there, but with type = 'fanout' where 'direct' is needed")
    assert lines[1].startswith("queue shop.mail is there, but with x-queue-type = ")
    assert lines[2].startswith(f"queue {rung(1)} is there, but with x-message-ttl = '9' where '1000' is needed")
    assert all("topology --apply" in line for line in lines)
    assert bench.missing(_consumer()) == []


def test_a_consumer_that_becomes_ordered_needs_another_queue(bench):
    bench.declare(_consumer())
    with pytest.raises(TopologyMismatch, match=r"queue shop\.mail is there, but with x-single-active-consumer"):
        bench.declare(_consumer(ordered=True))


def test_everything_that_is_missing_is_listed_and_nothing_is_created(bench, vhost, channel):
    lines = bench.missing(_consumer())
    assert f"topic exchange {EVENTS}" in lines
    assert "queue shop.mail" in lines
    assert f"binding of queue shop.mail to exchange {EVENTS} by 'shop.*'" in lines
    assert len(bench.missing(_consumer())) == len(lines)
    bench.declare(_consumer())
    assert bench.missing(_consumer()) == []
    channel.queue_delete(rung(30))
    assert bench.missing(_consumer()) == [
        f"queue {rung(30)}",
        f"binding of queue {rung(30)} to exchange {rung(30)} by '#'",
    ]


def test_a_user_who_may_not_declare_is_told_who_should(bench, user):
    options = Options(url=user("consumer", "^$", ".*", ".*"))
    with pytest.raises(TopologyMismatch, match=r"may not declare it .*topology --apply.*AUTO_DECLARE"):
        Bench(options.url).declare(_consumer())
    assert len(missing(options, topology_of([_consumer()]))) > 5


def test_users_with_the_fewest_rights_run_the_whole_flow(bench, user):
    """No configure right anywhere, and nothing is ever published to the default exchange."""
    bench.declare(_consumer())
    relay = Bench(user("relay", "^$", "^eventbridge[.]events$", "^$", topics="^shop[.]"))
    worker = Bench(user("worker", "^$", "^eventbridge[.]retry[.]", "^shop[.]mail$"))
    try:
        assert relay.missing(_consumer()) == []
        assert worker.missing(_consumer()) == []
        assert relay.publisher.depth("shop.mail") == 0
        relay.publish("shop.a")
        subscriber = worker.subscriber(_consumer())
        for attempt in (1, 2):
            [delivery] = take(subscriber, 1)
            assert delivery.attempt == attempt
            delivery.retry(1) if attempt == 1 else delivery.ack()
        with pytest.raises(Unavailable):
            worker.publisher.publish([worker.message("shop.a")])
        with pytest.raises(Unavailable, match="ACCESS_REFUSED"):
            take(relay.subscriber(_consumer()), 1)
    finally:
        relay.close()
        worker.close()


def test_topic_permissions_confine_a_consumers_retries_to_its_own_name(bench, broker, vhost, user):
    """Else who may write to the ladder could put a message into anybody's queue."""
    bench.declare(_consumer())
    url = user("worker", "^$", "^eventbridge[.]retry[.]", "^shop[.]mail$")
    name = url.partition("//")[2].partition(":")[0]
    broker.ctl("set_topic_permissions", "-p", vhost.name, name, rung(1), "^shop[.]mail$", "^$")
    worker = Bench(url)
    try:
        forged = worker.message("shop.other", destination=rung(1))
        honest = worker.message("shop.mail", destination=rung(1))
        assert states(worker.publisher.publish([forged, honest])) == ["refused", "confirmed"]
    finally:
        worker.close()


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        ("amqp://host?heartbeat=5", {}),
        ("redis://host", {}),
        ("amqp://host", {"ca": "ca.pem"}),
        ("amqps://a;amqp://b", {"ca": "ca.pem"}),
    ],
)
def test_a_url_of_which_a_part_would_be_ignored_is_an_error(url, tls):
    """TLS options without TLS would send the password in the clear."""
    from eventbridge.transports.rabbitmq.connection import endpoints

    with pytest.raises(ValueError, match="BROKER_URL"):
        endpoints(Options(url=url, tls=tls))


def test_what_is_declared_survives_a_restart_of_the_broker(bench, broker_in_danger):
    bench.declare(_consumer())
    bench.publish("shop.a")
    broker_in_danger.restart()
    assert bench.missing(_consumer()) == []
    assert bench.publisher.depth("shop.mail") == 1
