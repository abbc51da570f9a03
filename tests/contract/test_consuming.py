"""What every Subscriber and its deliveries promise."""

import threading
from time import monotonic

import pytest

from eventbridge.consumer import Consumer
from eventbridge.errors import Unavailable
from eventbridge.transports import ATTEMPT_HEADER
from tests.contract.bench import Bench, nothing_comes, take
from tests.services.processes import Processes
from tests.services.waiting import wait_for


def test_a_first_delivery_is_attempt_one_and_no_suspect(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "#")
    [sent] = bench.publish("a")
    [delivery] = take(bench.subscriber(consumer), 1)
    assert (delivery.message.id, delivery.attempt, delivery.redelivered) == (sent.id, 1, False)


def test_what_is_acknowledged_never_comes_again(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a", "b")
    subscriber = bench.subscriber(consumer)
    for delivery in take(subscriber, 2):
        delivery.ack()
    assert nothing_comes(subscriber)
    subscriber.close(2)
    assert bench.publisher.depth(consumer.name) == 0
    assert nothing_comes(bench.subscriber(consumer))


def test_none_comes_after_the_wait_and_then_deliveries_again(bench: Bench) -> None:
    subscriber = bench.subscriber(bench.consumer("shop.mail", "#"))
    deliveries = iter(subscriber.deliveries(0.2))
    began = monotonic()
    assert next(deliveries) is None
    assert 0.15 < monotonic() - began < 5
    bench.publish("a")
    found = wait_for(lambda: next(deliveries), what="the delivery")
    found.ack()


def test_a_retry_comes_back_after_its_delay_and_is_charged(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "shop.#")
    sent = bench.message("shop.a", headers={"traceparent": "00-ab-cd-01"}, content_type="text/x-own")
    bench.publisher.publish([sent])
    subscriber = bench.subscriber(consumer)
    for expected in (1, 2):
        [delivery] = take(subscriber, 1)
        assert delivery.attempt == expected
        began = monotonic()
        delivery.retry(1)
    [delivery] = take(subscriber, 1)
    assert 0.9 < monotonic() - began < 5
    assert delivery.attempt == 3
    assert (delivery.message.body, delivery.message.id, delivery.message.type) == (sent.body, sent.id, sent.type)
    assert (delivery.message.content_type, delivery.message.source) == ("text/x-own", "/shop")
    assert delivery.message.headers["traceparent"] == "00-ab-cd-01"


def test_a_retry_comes_back_to_the_failing_queue_only(bench: Bench) -> None:
    failing, other = bench.consumer("shop.mail", "#"), bench.consumer("shop.stock", "#")
    bench.publish("a")
    subscribers = bench.subscriber(failing), bench.subscriber(other)
    [first], [untouched] = take(subscribers[0], 1), take(subscribers[1], 1)
    untouched.ack()
    first.retry(1)
    [second] = take(subscribers[0], 1)
    second.ack()
    assert second.attempt == 2
    assert nothing_comes(subscribers[1])


def test_a_released_delivery_comes_again_at_once_uncharged(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "#")
    [sent] = bench.publish("a")
    subscriber = bench.subscriber(consumer)
    for _ in range(3):
        [delivery] = take(subscriber, 1, timeout=2)
        assert (delivery.message.id, delivery.attempt) == (sent.id, 1)
        delivery.release()
    [delivery] = take(subscriber, 1, timeout=2)
    delivery.ack()


def test_no_limit_of_the_broker_eats_what_is_released_again_and_again(bench: Bench) -> None:
    """RabbitMQ 4 gives up after 20 deliveries unless the queue says otherwise, and drops the message."""
    consumer = bench.consumer("shop.mail", "#")
    [sent] = bench.publish("a")
    subscriber = bench.subscriber(consumer)
    for _ in range(25):
        take(subscriber, 1)[0].release()
    [delivery] = take(subscriber, 1)
    assert (delivery.message.id, delivery.attempt) == (sent.id, 1)
    delivery.ack()


@pytest.mark.parametrize("lease", [2])
def test_what_a_killed_process_held_is_delivered_again_as_a_suspect(bench: Bench, processes: Processes) -> None:
    consumer = bench.consumer("shop.mail", "#")
    [sent] = bench.publish("a")
    holder = processes.python("-m", "tests.contract.holder", consumer.name, env=bench.env)
    holder.wait_for_output(f"holding {sent.id}")
    holder.kill()
    [delivery] = take(bench.subscriber(consumer), 1, timeout=40)
    assert (delivery.message.id, delivery.attempt, delivery.redelivered) == (sent.id, 1, True)
    delivery.ack()


def test_no_more_than_prefetch_are_unsettled_at_a_time(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "#")
    bench.publish(*"abcdefgh")
    subscriber = bench.subscriber(consumer, prefetch=3)
    held = take(subscriber, 3)
    assert nothing_comes(subscriber)
    held[1].ack()
    assert len(take(subscriber, 1)) == 1
    assert nothing_comes(subscriber)


def test_deliveries_are_settled_from_other_threads(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "#")
    sent = bench.publish(*["a"] * 60)
    subscriber = bench.subscriber(consumer, prefetch=20)
    settled: list[str] = []
    threads: list[threading.Thread] = []

    def settle(delivery):
        delivery.ack()
        settled.append(delivery.message.id)

    for delivery in subscriber.deliveries(0.1):
        if delivery is not None:
            threads.append(threading.Thread(target=settle, args=(delivery,)))
            threads[-1].start()
        if len(threads) == len(sent):
            break
    for thread in threads:
        thread.join(10)
    assert sorted(settled) == sorted(message.id for message in sent)
    subscriber.close(5)
    assert bench.publisher.depth(consumer.name) == 0


def test_an_acknowledgement_from_another_thread_wakes_the_link(bench: Bench) -> None:
    """With a prefetch of one, and a long wait, the next delivery must not wait for the wait to end."""
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a", "b")
    deliveries = iter(bench.subscriber(consumer, prefetch=1).deliveries(15))
    first = next(deliveries)
    assert first is not None
    timer = threading.Timer(0.3, first.ack)
    timer.start()
    began = monotonic()
    second = next(deliveries)
    timer.join()
    assert second is not None
    assert monotonic() - began < 5


def test_settling_twice_is_harmless(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a", "b", "c")
    subscriber = bench.subscriber(consumer)
    for delivery, again in zip(take(subscriber, 3), ("ack", "release", "retry"), strict=True):
        delivery.ack()
        delivery.retry(1) if again == "retry" else getattr(delivery, again)()
        delivery.ack()
    assert nothing_comes(subscriber, within=1.5)
    subscriber.close(2)
    assert bench.publisher.depth(consumer.name) == 0


def test_settling_what_was_handed_back_is_harmless(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a", "b", "c")
    first = bench.subscriber(consumer)
    held = take(first, 3)
    first.close(0.2)
    held[0].ack()
    held[1].release()
    held[2].retry(1)
    second = bench.subscriber(consumer)
    again = take(second, 3, timeout=2)
    assert {delivery.attempt for delivery in again} == {1}
    for delivery in again:
        delivery.ack()
    assert nothing_comes(second, within=1.5)


def test_close_waits_for_what_is_held_and_hands_back_nothing(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a", "b")
    subscriber = bench.subscriber(consumer)
    held = take(subscriber, 2)
    timers = [threading.Timer(0.2 + n / 5, delivery.ack) for n, delivery in enumerate(held)]
    for timer in timers:
        timer.start()
    began = monotonic()
    subscriber.close(10)
    assert monotonic() - began < 5
    assert bench.publisher.depth(consumer.name) == 0


def test_close_hands_the_rest_back_within_its_deadline(bench: Bench) -> None:
    consumer = bench.consumer("shop.mail", "#")
    sent = bench.publish("a", "b", "c")
    subscriber = bench.subscriber(consumer, prefetch=3)
    [held] = take(subscriber, 1)
    began = monotonic()
    subscriber.close(1)
    assert monotonic() - began < 2
    assert held.attempt == 1
    again = take(bench.subscriber(consumer), 3, timeout=2)
    assert {delivery.message.id for delivery in again} == {message.id for message in sent}
    assert {delivery.attempt for delivery in again} == {1}


def test_closing_what_was_never_opened_is_harmless(bench: Bench) -> None:
    bench.subscriber(Consumer("shop.nowhere")).close(1)


def test_a_queue_that_is_not_there_is_unavailable_and_says_what_to_do(bench: Bench) -> None:
    with pytest.raises(Unavailable, match="topology --apply"):
        next(iter(bench.subscriber(Consumer("shop.nowhere")).deliveries(1)))


def test_an_ordered_queue_has_one_active_subscriber_and_another_takes_over(bench: Bench) -> None:
    consumer = bench.consumer("shop.ledger", "#", ordered=True)
    sent = [message.id for message in bench.publish(*["a"] * 6)]
    first, second = bench.subscriber(consumer, prefetch=1), bench.subscriber(consumer, prefetch=1)
    arrived = []
    for _ in range(3):
        [delivery] = take(first, 1)
        assert nothing_comes(second, within=0.1)
        arrived.append(delivery.message.id)
        delivery.ack()
    assert len(take(first, 1)) == 1
    first.close(0.2)
    for _ in range(3):
        [delivery] = take(second, 1, timeout=2)
        arrived.append(delivery.message.id)
        delivery.ack()
    assert arrived == sent


def test_the_attempt_is_counted_by_nobody_else(bench: Bench) -> None:
    """A sender's header that looks like ours must not make a dead letter of a first attempt."""
    consumer = bench.consumer("shop.mail", "#")
    bench.publisher.publish([bench.message("a", headers={ATTEMPT_HEADER: "17"})])
    [delivery] = take(bench.subscriber(consumer), 1)
    assert delivery.attempt == 1
