"""What becomes of running daemons when what they need on RabbitMQ goes, is other, or is not there yet."""

from collections.abc import Callable, Iterator
from typing import Any

import kombu
import pytest

from eventbridge import emit
from eventbridge.models import OutboxEntry
from eventbridge.topology import EVENTS
from tests.e2e.notes import Told
from tests.services.processes import Process
from tests.services.rabbitmq import RabbitMQ, Vhost
from tests.services.waiting import wait_for
from tests.shop.models import Note

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "archive"]),
    pytest.mark.timeout(120),
    pytest.mark.parametrize("transport", ["amqp"], indirect=True),
]
Start = Callable[..., Process]


@pytest.fixture
def channel(vhost: Vhost) -> Iterator[Any]:
    """An administrator's."""
    with kombu.Connection(vhost.url) as connection:
        yield connection.default_channel


def test_an_exchange_that_is_deleted_under_a_relay_is_made_again_with_its_bindings(
    relay: Start, consume: Start, channel: Any
):
    consume()
    running = relay(SHOP_CONSUMERS="tests.e2e.notes")
    emit(Told(text="before"))
    wait_for(lambda: Note.objects.filter(text="before").exists(), 20, what="the first note")
    channel.exchange_delete(EVENTS)
    emit(Told(text="after"))
    wait_for(lambda: Note.objects.filter(text="after").exists(), 30, what="the second note")
    assert running.running
    wait_for(lambda: not OutboxEntry.objects.exists(), what="the outbox to be empty")


def test_a_consumer_whose_queue_is_other_says_why_and_begins_once_it_is_mended(
    relay: Start, daemon: Start, channel: Any
):
    channel.queue_declare("e2e.notes", durable=True, exclusive=False, auto_delete=False)  # a classic one
    process = daemon("eventbridge", "consume", "tests.e2e.notes")
    process.wait_for_output("queue e2e.notes is there, but with x-queue-type")
    process.wait_for_output("consumer e2e.others is ready")
    assert process.running
    assert "consumer e2e.notes is ready" not in process.output
    channel.queue_delete("e2e.notes")
    process.wait_for_output("consumer e2e.notes is ready", timeout=30)
    relay()
    emit(Told(text="mended"))
    wait_for(lambda: Note.objects.filter(text="mended").exists(), 20, what="the note")


def test_a_virtual_host_that_is_missing_is_said_and_waited_for(
    relay: Start, vhost: Vhost, broker: RabbitMQ, daemon: Start
):
    name = f"{vhost.name}-later"
    url = vhost.url.replace(vhost.name, name)
    process = daemon("eventbridge", "relay", env={"SHOP_BROKER_URL": url})
    process.wait_for_output(f"vhost {name} not found")
    broker.ctl("add_vhost", name)
    try:
        broker.ctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        process.wait_for_output("relay default is ready", timeout=30)
        process.terminate()
        assert process.wait() == 0
    finally:
        broker.ctl("delete_vhost", name)
