"""Processes that fork, and processes whose queue goes away under them."""

import os
from collections.abc import Callable
from typing import Any

import kombu
import pytest

from eventbridge import emit
from eventbridge.models import OutboxEntry
from tests.growth.old_consumer import consumer
from tests.services.processes import Process, Processes
from tests.services.rabbitmq import Vhost
from tests.services.waiting import wait_for
from tests.shop.contracts import OrderSaved
from tests.shop.models import Note

pytestmark = [pytest.mark.django_db(transaction=True, databases=["default", "archive"]), pytest.mark.timeout(120)]
Start = Callable[..., Process]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_the_forks_of_a_preloaded_site_and_their_parent_record_each_its_own_events(
    processes: Processes, database_urls: dict[str, str]
):
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", **{f"SHOP_{name}": url for name, url in database_urls.items()}}
    site = processes.python("-m", "tests.integration.preloaded", env=env)
    assert site.wait(30) == 0, site.output
    recorded = list(OutboxEntry.objects.values_list("type", "event_id"))
    assert [kind for kind, _ in recorded] == ["shop.order.saved.v1"] * 4
    assert len({event_id for _, event_id in recorded}) == 4


def test_a_consumer_whose_queue_is_deleted_under_it_says_so_makes_it_again_and_goes_on(
    vhost: Vhost, settings: Any, daemon: Start
):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": vhost.url}
    process = daemon("eventbridge", "consume", "tests.growth.old_consumer")
    process.wait_for_output(f"consumer {consumer.name} is ready")
    with kombu.Connection(vhost.url) as connection:
        connection.default_channel.queue_delete(consumer.name)
    process.wait_for_output(f"consumer {consumer.name} is waiting")
    wait_for(lambda: process.output.count(f"consumer {consumer.name} is ready") == 2, 30, what="the queue to be back")
    emit(OrderSaved(order_id="01234567-89ab-cdef-0123-456789abcdef", paid=True, created=True))
    daemon("eventbridge", "relay", "--drain")
    wait_for(Note.objects.exists, 30, what="a note")
    process.terminate()
    assert process.wait() == 0
