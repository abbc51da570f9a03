"""Brokers that block, freeze, vanish or move; networks that fall silent."""

import os
import signal
import threading
from time import monotonic

import pytest

from eventbridge.consumer import Consumer
from eventbridge.errors import Unavailable
from tests.contract.bench import nothing_comes, states, take
from tests.services.hosts import free_port
from tests.services.waiting import wait_for

pytestmark = pytest.mark.timeout(120)


def test_a_blocked_broker_bounds_publish_and_close(make_bench, broker_in_danger):
    """It reads no more, but still sends heartbeats: they must not prolong the wait; nor must a goodbye."""
    bench = make_bench(confirm_timeout=2, heartbeat=1)
    bench.consumer("shop.mail", "#")
    bench.publish("before")
    with broker_in_danger.memory_alarm():
        for _ in range(2):
            began = monotonic()
            with pytest.raises(Unavailable, match="blocks publishing") as blocked:
                bench.publisher.publish([bench.message("a")] * 5)
            assert monotonic() - began < 3.5
            assert list(blocked.value.outcomes) == [None] * 5
        waiting = threading.Thread(target=_publish_in_vain, args=(bench,))
        waiting.start()
        began = monotonic()
        bench.publisher.close(1)
        assert monotonic() - began < 2.5
        waiting.join(10)
    again = make_bench()
    assert states(again.publisher.publish([bench.message("after")])) == ["confirmed"]


def _publish_in_vain(bench):
    with pytest.raises(Unavailable):
        bench.publisher.publish([bench.message("a")])


def test_attempts_at_a_blocked_broker_leave_few_duplicates(make_bench, broker_in_danger):
    """It may take what the first link had sent, and one message of each new one before it blocks that.
    What lies in the socket goes with the link."""
    bench = make_bench(confirm_timeout=1)
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("before")
    with broker_in_danger.memory_alarm():
        for _ in range(4):
            _unavailable(lambda: bench.publisher.publish([bench.message("a") for _ in range(100)]))
    bench.publish("after")
    arrived = [delivery.message.routing_key for delivery in _all(bench.subscriber(consumer, prefetch=1000))]
    assert arrived[0] == "before"
    assert "after" in arrived
    assert arrived.count("a") <= 100 + 2 * 3


def test_acknowledgements_flow_while_publishers_are_blocked(make_bench, broker_in_danger):
    """An alarm blocks a connection as a whole: what publishes and what consumes must not share one."""
    bench = make_bench(confirm_timeout=1)
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a", "b", "c")
    subscriber = bench.subscriber(consumer)
    held = take(subscriber, 3)
    with broker_in_danger.memory_alarm():
        with pytest.raises(Unavailable):
            held[0].retry(1)
        held[1].ack()
        held[2].ack()
        assert nothing_comes(subscriber)
        held[0].release()
        [again] = take(subscriber, 1)
        again.ack()
        began = monotonic()
        subscriber.close(5)
        assert monotonic() - began < 4
        assert bench.another_publisher().depth("shop.mail") == 0


def test_a_frozen_broker_bounds_everything(make_bench, broker_in_danger):
    """Its kernel still accepts connections and acknowledges bytes; nobody answers."""
    bench = make_bench(confirm_timeout=2, connect_timeout=1, heartbeat=2)
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a")
    subscriber, other = bench.subscriber(consumer), bench.subscriber(consumer)
    [held] = take(subscriber, 1)
    assert nothing_comes(other)
    idle = make_bench(confirm_timeout=8)
    idle.publish("a")
    broker_in_danger.pause()
    try:
        _takes_no_longer_than(2, lambda: idle.publisher.close(1))
        _takes_no_longer_than(3.5, lambda: _unavailable(lambda: bench.publisher.publish([bench.message("b")])))
        _takes_no_longer_than(3.5, lambda: _unavailable(lambda: bench.publisher.publish([bench.message("b")])))
        _takes_no_longer_than(2, lambda: bench.publisher.close(1))
        _takes_no_longer_than(2, lambda: other.close(1))
        _takes_no_longer_than(7, lambda: _unavailable(lambda: list(subscriber.deliveries(1))))
        held.ack()
        _takes_no_longer_than(1, lambda: subscriber.close(1))
        _takes_no_longer_than(5, lambda: _unavailable(lambda: list(bench.subscriber(consumer).deliveries(1))))
        assert bench.another_publisher().depth("shop.mail") is None
    finally:
        broker_in_danger.resume()


def _all(subscriber):
    """What arrives until nothing does for a second."""
    arrived = []
    for delivery in subscriber.deliveries(1):
        if delivery is None:
            return arrived
        arrived.append(delivery)
    raise AssertionError("deliveries never end by themselves")


def _takes_no_longer_than(seconds, action):
    began = monotonic()
    action()
    assert monotonic() - began < seconds


def _unavailable(action):
    with pytest.raises(Unavailable):
        action()


def test_a_stopped_broker_is_unavailable_and_welcome_when_it_is_back(make_bench, broker_in_danger):
    bench = make_bench()
    consumer = bench.consumer("shop.mail", "#")
    [sent] = bench.publish("a")
    subscriber = bench.subscriber(consumer)
    [held] = take(subscriber, 1)
    broker_in_danger.stop()
    _unavailable(lambda: list(subscriber.deliveries(1)))
    _unavailable(lambda: bench.publisher.publish([bench.message("b")]))
    held.ack()
    broker_in_danger.start()
    again = take(bench.subscriber(consumer), 1)
    assert [d.message.id for d in again] == [sent.id]
    bench.publish("c")


def test_the_next_broker_of_the_url_is_tried(make_bench, vhost):
    dead = f"amqp://guest:guest@127.0.0.1:{free_port()}//"
    bench = make_bench(f"{dead};{vhost.url}")
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a")
    assert len(take(bench.subscriber(consumer), 1)) == 1


def test_a_broker_that_goes_is_replaced_by_the_next(make_bench, vhost, proxy_to):
    first, second = proxy_to(vhost.url), proxy_to(vhost.url)
    bench = make_bench(f"{first.in_front_of(vhost.url)};{second.in_front_of(vhost.url)}")
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a")
    subscriber = bench.subscriber(consumer)
    [held] = take(subscriber, 1)
    held.ack()
    assert nothing_comes(subscriber)
    first.refuse()
    first.cut()
    _unavailable(lambda: list(subscriber.deliveries(1)))
    bench.publish("b")
    assert len(take(bench.subscriber(consumer), 1)) == 1
    assert second.connections == 2


def test_no_broker_at_all_says_what_each_one_answered(make_bench):
    ports = free_port(), free_port()
    bench = make_bench(";".join(f"amqp://guest:guest@127.0.0.1:{port}//" for port in ports))
    with pytest.raises(Unavailable, match=f"127.0.0.1:{ports[0]}.*127.0.0.1:{ports[1]}"):
        bench.publisher.publish([bench.message("a")])


def test_a_wrong_password_is_said(make_bench, vhost):
    bench = make_bench(vhost.as_user("guest", "wrong-battery-staple"))
    with pytest.raises(Unavailable, match="ACCESS_REFUSED"):
        bench.publisher.publish([bench.message("a")])
    with pytest.raises(Unavailable, match=r"(?i)authentication|ACCESS_REFUSED"):
        list(bench.subscriber(Consumer("shop.mail")).deliveries(1))


# --- idle and silent links ---


def test_an_idle_publisher_keeps_its_link_by_heartbeats(make_bench, vhost, proxy_to):
    """RabbitMQ closes a connection after two silent heartbeats, and logs an error."""
    proxy = proxy_to(vhost.url)
    bench = make_bench(proxy.in_front_of(vhost.url), heartbeat=1)
    bench.consumer("shop.mail", "#")
    bench.publish("a")
    before, passed, began = proxy.connections, proxy.to_server.passed, monotonic()
    wait_for(lambda: proxy.to_server.passed >= passed + 8 * 8, timeout=15, what="eight heartbeats")
    assert monotonic() - began > 3
    bench.publish("b")
    assert proxy.connections == before


def test_a_link_that_was_cut_while_idle_costs_no_error(make_bench, vhost, proxy_to):
    proxy = proxy_to(vhost.url)
    bench = make_bench(proxy.in_front_of(vhost.url))
    bench.consumer("shop.mail", "#")
    bench.publish("a")
    proxy.cut()
    bench.publish("b")


def test_a_link_that_fell_silent_while_idle_costs_no_error(make_bench, vhost, proxy_to):
    proxy = proxy_to(vhost.url)
    bench = make_bench(proxy.in_front_of(vhost.url), heartbeat=1)
    bench.consumer("shop.mail", "#")
    bench.publish("a")
    before = proxy.connections
    proxy.to_client.hold()
    proxy.to_server.hold()
    heartbeat = [t for t in threading.enumerate() if t.name == "eventbridge-heartbeat"][-1]
    wait_for(lambda: not heartbeat.is_alive(), timeout=10, what="the silence to be noticed")
    proxy.to_client.flow()
    proxy.to_server.flow()
    bench.publish("b")
    assert proxy.connections == before + 1


# Where only the broker hears nothing, it is the one to notice, after three of its heartbeats, and to hang up.
_LIMITS = {("to_client",): 6.0, ("to_server",): 7.0, ("to_client", "to_server"): 6.0}
silent_lanes = pytest.mark.parametrize("lanes", list(_LIMITS))


@silent_lanes
def test_a_half_open_link_is_noticed_within_three_heartbeats(make_bench, vhost, proxy_to, lanes):
    """pika itself takes up to 2 x (heartbeat + 5 s)."""
    proxy = proxy_to(vhost.url)
    bench = make_bench(proxy.in_front_of(vhost.url), heartbeat=2)
    subscriber = bench.subscriber(bench.consumer("shop.mail", "#"))
    assert nothing_comes(subscriber)
    for lane in lanes:
        getattr(proxy, lane).hold()
    began = monotonic()
    with pytest.raises(Unavailable, match="silent" if "to_client" in lanes else None):
        list(subscriber.deliveries(0.2))
    assert monotonic() - began < _LIMITS[lanes]


@silent_lanes
def test_a_publishers_half_open_link_is_noticed_within_three_heartbeats(make_bench, vhost, proxy_to, lanes):
    proxy = proxy_to(vhost.url)
    bench = make_bench(proxy.in_front_of(vhost.url), heartbeat=2)
    bench.consumer("shop.mail", "#")
    bench.publish("a")
    heartbeat = [t for t in threading.enumerate() if t.name == "eventbridge-heartbeat"][-1]
    for lane in lanes:
        getattr(proxy, lane).hold()
    wait_for(lambda: not heartbeat.is_alive(), timeout=_LIMITS[lanes], what="the silence to be noticed")
    for lane in lanes:
        getattr(proxy, lane).flow()
    bench.publish("b")


def test_a_handler_may_run_longer_than_the_heartbeats(make_bench, vhost, proxy_to):
    proxy = proxy_to(vhost.url)
    bench = make_bench(proxy.in_front_of(vhost.url), heartbeat=1)
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a")
    before = proxy.connections
    subscriber = bench.subscriber(consumer)
    [held] = take(subscriber, 1)
    done = monotonic() + 5
    for delivery in subscriber.deliveries(0.2):
        assert delivery is None
        if monotonic() > done:
            break
    held.ack()
    subscriber.close(2)
    assert proxy.connections == before + 1
    assert bench.publisher.depth("shop.mail") == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_leaves_its_parents_link_alone(make_bench, vhost, proxy_to):
    """os.fork shares the socket: two processes that speak on it, or one that shuts it down, ruin it."""
    proxy = proxy_to(vhost.url)
    bench = make_bench(proxy.in_front_of(vhost.url))
    bench.consumer("shop.mail", "#")
    bench.publish("parent")
    before = proxy.connections
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            bench.publish("child")
            bench.publisher.close(1)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert proxy.connections == before + 1
    bench.publish("parent")
    assert proxy.connections == before + 1
    assert bench.publisher.depth("shop.mail") == 3
