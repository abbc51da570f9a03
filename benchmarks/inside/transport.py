"""The transport alone: consume and acknowledge, nothing else. ``python -m benchmarks.inside.transport ours|pika``."""

from __future__ import annotations

import os
import sys
from typing import Any

import django
import pika

django.setup()

from benchmarks.consumers.work import NAME  # noqa: E402
from benchmarks.ticks import tick  # noqa: E402
from eventbridge.assembly import open_publisher, options  # noqa: E402
from eventbridge.topology import Queue  # noqa: E402
from eventbridge.transports import transport  # noqa: E402

PREFETCH = 200


def ours() -> None:
    """Our subscriber, without a worker."""
    subscriber = transport(options().url).Subscriber(
        options(), Queue(NAME), prefetch=PREFETCH, retries=open_publisher()
    )
    for delivery in subscriber.deliveries(0.2):
        if delivery is not None:
            tick(0)
            delivery.ack()


def bare() -> None:
    """pika as its own examples use it."""
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["BENCH_BROKER_URL"])).channel()
    channel.basic_qos(prefetch_count=PREFETCH)

    def on_message(channel: Any, method: Any, _properties: Any, _body: bytes) -> None:
        tick(0)
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume(NAME, on_message)
    channel.start_consuming()


if __name__ == "__main__":
    {"ours": ours, "pika": bare}[sys.argv[1]]()
