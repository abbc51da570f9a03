"""Outages are not failures: the broker or the database goes away under real daemons, which wait and go on."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from eventbridge.models import DeadLetter
from tests.crash.consumers import RETRIES
from tests.crash.scene import NOTES, Scene, effects, letters, outbox, tell
from tests.services.postgresql import PostgreSQL
from tests.services.processes import Process
from tests.services.proxy import Proxy
from tests.services.rabbitmq import RabbitMQ, Vhost
from tests.services.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]
BUDGET = sum(RETRIES)


@pytest.fixture
def rabbit(vhost: Vhost, settings: Any, daemon: Callable[..., Process], tmp_path: Any) -> Scene:
    """A scene on RabbitMQ alone."""
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": vhost.url}
    scene = Scene(vhost.url, daemon, tmp_path / "handled.log")
    scene.declare()
    return scene


@pytest.fixture
def network(rabbit: Scene, settings: Any, proxy_to: Callable[[str], Proxy]) -> Proxy:
    """Between the broker and every daemon that is started from now on."""
    proxy = proxy_to(rabbit.url)
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": proxy.in_front_of(rabbit.url)}
    return proxy


def go_down(network: Proxy) -> None:
    network.refuse()
    network.cut()


def ready(process: Process, name: str, timeout: float = 30) -> Process:
    process.wait_for_output(f"{name} is ready", timeout)
    return process


def says(process: Process, words: str, times: int) -> None:
    wait_for(lambda: process.output.count(words) >= times, 30, what=f"{words!r}, {times} times")


def test_a_broker_that_is_away_for_longer_than_all_retries_costs_nobody_an_attempt(rabbit: Scene, network: Proxy):
    relay = ready(rabbit.start("relay"), "relay default")
    consumer = ready(rabbit.start("consume", NOTES), "consumer crash.notes")
    tell("failing", does="wait, fail")
    wait_for(rabbit.runs, what="a handler to run")
    go_down(network)
    rabbit.go_on()
    pending = tell("a", "b", "c")
    for process in (relay, consumer):
        process.wait_for_output(" is waiting")
    time.sleep(3 * BUDGET)  # the outage itself
    assert (outbox(), letters(), effects()) == (pending, [], [])
    network.accept()
    wait_for(lambda: effects() == ["a", "b", "c"], 30, what="what was pending to be handled")
    wait_for(letters, 30, what="the failing one to become a dead letter")
    assert letters() == [("failed", len(RETRIES) + 1)]
    assert rabbit.runs("failing") >= len(RETRIES) + 1
    for process in (relay, consumer):
        rabbit.stop(process)


def test_daemons_that_find_no_broker_wait_for_it_say_so_again_and_again_and_begin(rabbit: Scene, network: Proxy):
    go_down(network)
    impatient = {"REMIND_EVERY": "1"}
    relay, consumer = rabbit.start("relay", **impatient), rabbit.start("consume", NOTES, **impatient)
    says(relay, "relay default is waiting: no broker answers", 2)
    says(consumer, "consumer crash.notes is waiting: no broker answers", 2)
    tell("a")
    network.accept()
    wait_for(lambda: effects() == ["a"], 30, what="the event to be handled")
    for process in (relay, consumer):
        rabbit.stop(process)


def test_while_the_broker_blocks_publishers_events_are_handled_and_daemons_stop_in_time(
    rabbit: Scene, broker_in_danger: RabbitMQ
):
    texts = [f"{n:02}" for n in range(20)]
    tell(*texts)
    tell("failing", does="fail")
    rabbit.relay()
    blocked: dict[str, str] = {"SHOP_SHUTDOWN_TIMEOUT": "10", "SHOP_CONFIRM_TIMEOUT": "2", "SHOP_RELAY_LEASE": "5"}
    with broker_in_danger.memory_alarm():
        tell("pending")
        relay, consumer = rabbit.start("relay", **blocked), rabbit.start("consume", NOTES, **blocked)
        wait_for(lambda: effects() == texts, 30, what="what was queued to be handled")
        relay.wait_for_output("relay default is waiting: the broker blocks publishing")
        consumer.wait_for_output("consumer crash.notes is waiting: the broker blocks publishing")
        for process in (relay, consumer):
            process.terminate()
        for process in (relay, consumer):
            assert process.wait(10) == 0, process.output
        assert rabbit.depth("crash.notes") == 1  # the acknowledgements of all others have arrived
        assert letters() == []
    rabbit.relay()
    consumer = rabbit.start("consume", NOTES)
    wait_for(lambda: effects() == [*texts, "pending"], 30, what="what was pending to be handled")
    wait_for(letters, 30, what="the failing one to become a dead letter")
    assert letters() == [("failed", len(RETRIES) + 1)]
    rabbit.stop(consumer)


@pytest.mark.postgresql
def test_a_restart_of_the_database_under_running_daemons_costs_nothing(scene: Scene, postgresql_in_danger: PostgreSQL):
    relay = ready(scene.start("relay"), "relay default")
    consumer = ready(scene.start("consume", NOTES), "consumer crash.notes")
    tell("held", does="wait")
    tell("a", "b")
    wait_for(scene.runs, what="a handler to run")
    restart(postgresql_in_danger)
    scene.go_on()
    tell("c")
    wait_for(lambda: effects() == ["a", "b", "c", "held"], 40, what="everything to be handled once")
    # What was handled but could not be acknowledged comes again, and is skipped.
    wait_for(lambda: scene.depth("crash.notes") == 0, 20, what="an empty queue")
    assert letters() == []
    for process in (relay, consumer):
        assert process.running, process.output
        scene.stop(process)
    assert effects() == ["a", "b", "c", "held"]
    assert scene.depth("crash.notes") == 0


@pytest.mark.postgresql
def test_a_database_that_is_away_for_longer_than_all_retries_costs_nobody_an_attempt(
    scene: Scene, postgresql_in_danger: PostgreSQL
):
    tell("held", does="wait")
    tell("failing", does="fail")
    relay = ready(scene.start("relay"), "relay default")
    consumer = ready(scene.start("consume", NOTES), "consumer crash.notes")
    wait_for(scene.runs, what="a handler to run")
    postgresql_in_danger.stop()
    scene.go_on()
    for process in (relay, consumer):
        process.wait_for_output(" is waiting")
    time.sleep(3 * BUDGET)  # the outage itself
    come_back(postgresql_in_danger)
    wait_for(lambda: effects() == ["held"], 40, what="what was held to be handled")
    wait_for(DeadLetter.objects.exists, 40, what="the failing one to become a dead letter")
    assert letters() == [("failed", len(RETRIES) + 1)]
    for process in (relay, consumer):
        scene.stop(process)


@pytest.mark.postgresql
def test_daemons_that_find_no_database_wait_for_it_and_begin(scene: Scene, postgresql_in_danger: PostgreSQL):
    tell("a")
    postgresql_in_danger.stop()
    relay, consumer = scene.start("relay"), scene.start("consume", NOTES)
    relay.wait_for_output("relay default is waiting: database default")
    consumer.wait_for_output("consumer crash.notes is waiting: database default")
    come_back(postgresql_in_danger)
    wait_for(lambda: effects() == ["a"], 40, what="the event to be handled")
    for process in (relay, consumer):
        scene.stop(process)


def restart(server: PostgreSQL) -> None:
    server.stop()
    come_back(server)


def come_back(server: PostgreSQL) -> None:
    """With new connections for this process, too."""
    server.start()
    connections.close_all()
