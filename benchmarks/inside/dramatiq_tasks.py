"""Dramatiq's actors, on a durable quorum queue like ours (its own would be classic ones)."""

import os
import time
from typing import Any

import django
import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

django.setup()

from django.db.models import F  # noqa: E402

from benchmarks.store.models import Stock  # noqa: E402
from benchmarks.ticks import tick  # noqa: E402

QUEUE = "bench.dramatiq"


class QuorumBroker(RabbitmqBroker):
    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return {**super()._build_queue_arguments(queue_name), "x-queue-type": "quorum"}


broker = QuorumBroker(url=os.environ["BENCH_BROKER_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=QUEUE)
def sell(number: int, book: dict[str, Any]) -> None:
    """What our own handler does: one UPDATE."""
    tick(number)
    Stock.objects.filter(pk=number % 1000 + 1).update(sold=F("sold") + 1)


@dramatiq.actor(queue_name=QUEUE)
def wait(number: int, book: dict[str, Any]) -> None:
    tick(number)
    time.sleep(0.005)


@dramatiq.actor(queue_name=QUEUE)
def ignore(number: int, book: dict[str, Any]) -> None:
    tick(number)
