"""The witness: a queue of its own that nobody reads before the end, and what it then says of the wire."""

import json
from collections.abc import Iterator
from typing import Any

import kombu

from eventbridge import Consumer, Event
from tests.chaos.contracts import Happened
from tests.chaos.history import Arrival
from tests.chaos.world import World

consumer = Consumer("chaos.witness")


@consumer.handles(Happened)  # and not what nobody wants, which must find no queue
def ignore(event: Event[Happened]) -> None:
    """Never called."""


def listen() -> None:
    """From now on it gets whatever consumers get."""
    from eventbridge.assembly import declare
    from eventbridge.topology import topology_of

    declare(topology_of([consumer]))


def arrivals(world: World) -> list[Arrival]:
    """What has arrived, in its order, copies too. Only once: reading empties it."""
    bodies = _received(world.vhost.url) if world.vhost else _rows()
    return [_arrival(json.loads(body)) for body in bodies]


def _received(url: str) -> Iterator[bytes | str]:
    """By a plain client."""
    with kombu.Connection(url) as connection:
        channel = connection.default_channel
        while message := channel.basic_get(consumer.name, no_ack=True):
            yield message.body


def _rows() -> Iterator[bytes]:
    from eventbridge.models import BrokerMessage

    rows = BrokerMessage.objects.filter(queue=consumer.name).order_by("id")
    yield from map(bytes, rows.values_list("body", flat=True))


def _arrival(event: dict[str, Any]) -> Arrival:
    return Arrival(event["id"], event["subject"], event["data"]["n"], int(event["sequence"]))
