"""Hosts whose clocks are wrong: who may do what is decided by the database's clock alone."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from eventbridge import transports
from eventbridge.consumer import Consumer
from eventbridge.models import OutboxEntry
from eventbridge.models.outbox import NewEntry
from eventbridge.relay import Relay
from tests.contract.bench import Bench, nothing_comes, take
from tests.services.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "archive"])

HOUR = 3600.0


@pytest.fixture(params=[HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])
def wrong(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it: from then on this host's clock is wrong. Whatever measures how long something took is not."""

    def from_now_on() -> None:
        seconds, true = request.param, time.time
        monkeypatch.setattr(time, "time", lambda: true() + seconds)
        monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC) + timedelta(seconds=seconds))

    return from_now_on


def record(event_id: str) -> None:
    OutboxEntry.objects.record([NewEntry(event_id, "shop.thing.v1", False, "", '{"specversion":"1.0"}')])


def relay(holder: str, lease: float) -> Relay:
    options = transports.Options(url="database://", app_id="/shop")
    return Relay(transports.transport(options.url).Publisher(options), holder=holder, lease=lease)


def test_a_standby_with_a_wrong_clock_steals_no_lease(wrong: Callable[[], None]):
    active = relay("right", lease=60)
    active.poll()
    wrong()
    record("a")
    standby = relay("wrong", lease=60)
    standby.poll()
    assert (standby.state, OutboxEntry.objects.count()) == ("standby", 1)
    active.poll()
    assert not OutboxEntry.objects.exists()


def test_a_relay_with_a_wrong_clock_keeps_its_lease_and_no_longer_than_that(wrong: Callable[[], None]):
    wrong()
    active, standby = relay("wrong", lease=1.5), relay("right", lease=60)
    until = time.monotonic() + 2.5
    while time.monotonic() < until:  # it renews
        active.poll()
        standby.poll()
        assert (active.state, standby.state) == ("ready", "standby")
    record("a")
    began = time.monotonic()
    wait_for(lambda: standby.poll() is not None and standby.state == "ready", 10, every=0.05)
    assert 0.5 < time.monotonic() - began < 4
    assert not OutboxEntry.objects.exists()


@pytest.fixture
def bench() -> Bench:
    return Bench("database://?lease=60")


def consumer(bench: Bench) -> Consumer:
    return bench.consumer("shop.mail", "#")


def test_a_consumer_with_a_wrong_clock_takes_nothing_out_of_anothers_hands(bench: Bench, wrong: Callable[[], None]):
    mail = consumer(bench)
    bench.publish("a")
    take(bench.subscriber(mail), 1)
    wrong()
    assert nothing_comes(bench.subscriber(mail), within=0.5)
    bench.close()


@pytest.mark.parametrize("whose", ["the dead one's", "the living one's"])
def test_what_a_dead_consumer_held_comes_again_after_its_lease_whose_clock_ever_is_wrong(
    whose: str, wrong: Callable[[], None]
):
    bench = Bench("database://?lease=1.5")
    mail = consumer(bench)
    bench.publish("a")
    if whose == "the dead one's":
        wrong()
    take(bench.subscriber(mail), 1)  # and is never heard of again
    began = time.monotonic()
    wrong()
    [again] = take(bench.subscriber(mail), 1, timeout=6)
    assert 1 < time.monotonic() - began < 5
    assert again.redelivered
    again.ack()
    bench.close()


def test_a_retry_waits_as_long_as_it_should_whatever_the_hosts_clock_says(bench: Bench, wrong: Callable[[], None]):
    mail = consumer(bench)
    bench.publish("a")
    wrong()
    subscriber = bench.subscriber(mail)
    [delivery] = take(subscriber, 1)
    began = time.monotonic()
    delivery.retry(1)
    [again] = take(subscriber, 1, timeout=6)
    assert 0.9 < time.monotonic() - began < 5
    again.ack()
    bench.close()
