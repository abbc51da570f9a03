"""eventbridge consume --drain: everything that is there is handled, then it ends."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventbridge import drain, emit_many
from eventbridge.drain import Drain
from eventbridge.models import BrokerMessage, DeadLetter, OutboxEntry
from eventbridge.transports import Delivery, Message
from eventbridge.wire import with_sequence
from tests.services.processes import Process
from tests.services.waiting import wait_for
from tests.shop.contracts import OrderSaved
from tests.shop.models import Note

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "archive"])
CONSUMERS = "tests.cli.shop_consumers"
SLOW = "tests.cli.slow_consumer"
Start = Callable[..., Process]


def orders(number: int) -> None:
    """So many events in the outbox."""
    data = [OrderSaved(order_id=f"00000000-0000-0000-0000-{n:012}", paid=True, created=True) for n in range(number)]  # type: ignore[arg-type]
    emit_many(data)


@pytest.fixture(params=["the embedded broker", "RabbitMQ"])
def any_broker(request: pytest.FixtureRequest, settings: Any) -> None:
    if request.param == "RabbitMQ":
        url = request.getfixturevalue("vhost").url
        settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": url}


@pytest.mark.usefixtures("any_broker")
def test_everything_that_is_in_the_queue_is_handled_and_then_it_ends(daemon: Start, run: Any):
    run("topology", "--apply", CONSUMERS)
    orders(30)
    assert run("relay", "--drain").out == "Relayed 30 events.\n"
    process = daemon("eventbridge", "consume", CONSUMERS, "--drain")

    assert process.wait(30) == 0, process.output
    assert "Handled 30 events." in process.output
    assert Note.objects.count() == 30


def test_with_nothing_to_do_it_ends_too(daemon: Start):
    process = daemon("eventbridge", "consume", CONSUMERS, "--drain")

    assert process.wait(30) == 0, process.output
    assert "Handled 0 events." in process.output


def test_what_takes_longer_than_its_patience_is_waited_for(daemon: Start, run: Any):
    run("topology", "--apply", SLOW)
    orders(2)
    run("relay", "--drain")
    process = daemon("eventbridge", "consume", SLOW, "--drain")

    assert process.wait(40) == 0, process.output
    assert Note.objects.count() == 2
    assert not BrokerMessage.objects.exists()


def test_what_comes_at_the_last_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drain, "QUIET", 0.2)
    watching, done = Drain(), threading.Event()
    arriving = watching.watch(LastMoment)().deliveries(0)
    watching.then(done.set)

    assert next(arriving) is None
    held = next(arriving)
    assert held is not None
    assert not done.wait(0.8)
    held.ack()
    assert next(arriving) is None
    assert done.wait(5)
    assert watching.finished


class LastMoment:
    """A subscriber to which something comes when it has just said that nothing does."""

    def deliveries(self, wait: float) -> Iterator[Delivery | None]:
        yield from (None, Held(), None)

    def close(self, deadline: float) -> None: ...


class Held:
    message, attempt, redelivered = Message(destination="", routing_key="", body=b""), 1, False

    def ack(self) -> None: ...
    def retry(self, after: float) -> None: ...
    def release(self) -> None: ...


def test_replays_are_taken_up_all_of_them(daemon: Start, bury: Any):
    orders(12)
    for entry in OutboxEntry.objects.all():
        bury(consumer="cli.mail", body=with_sequence(entry.body.encode(), entry.pk))
    DeadLetter.objects.update(content_type="application/cloudevents+json")
    DeadLetter.objects.all().replay()
    process = daemon("eventbridge", "consume", CONSUMERS, "--drain")

    assert process.wait(30) == 0, process.output
    assert Note.objects.count() == 12
    assert not DeadLetter.objects.exists()


def test_retries_that_come_later_are_left_for_the_next_time(daemon: Start, run: Any):
    run("topology", "--apply", CONSUMERS)
    Note.objects.create(text="fail")
    orders(1)
    run("relay", "--drain")
    process = daemon("eventbridge", "consume", CONSUMERS, "--drain")

    assert process.wait(30) == 0, process.output
    assert "Handled 0 events." in process.output
    assert "failed. Retries that come later are for the next time." in process.output
    assert BrokerMessage.objects.count() == 1


def test_new_dead_letters_are_said(daemon: Start, bury: Any):
    bury(consumer="cli.mail", body=b"nonsense")
    DeadLetter.objects.all().replay()
    process = daemon("eventbridge", "consume", CONSUMERS, "--drain")

    assert process.wait(30) == 0, process.output
    assert "1 new dead letter: see eventbridge dead list." in process.output


def test_a_broker_that_is_away_is_waited_for_and_whoever_is_stopped_before_ends_with_1(daemon: Start, settings: Any):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": "amqp://127.0.0.1:1//"}
    process = daemon("eventbridge", "consume", CONSUMERS, "--drain")
    process.wait_for_output("consumer cli.mail is waiting")
    with pytest.raises(AssertionError):
        wait_for(lambda: not process.running, timeout=4)
    process.terminate()

    assert process.wait() == 1
    assert "Stopped." in process.output
