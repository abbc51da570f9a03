"""The bench on which every transport is held to the same promises."""

import itertools
from contextlib import suppress
from time import monotonic
from typing import Any

from eventbridge.consumer import Consumer
from eventbridge.errors import Unavailable
from eventbridge.topology import EVENTS, Topology, queue_of, topology_of
from eventbridge.transports import Delivery, Message, Options, Publisher, Subscriber, transport
from tests.services.waiting import wait_for


class Bench:
    """One transport, with what a test does on it. What was made here is closed when the test is over."""

    def __init__(self, url: str, env: dict[str, str] | None = None, **options: Any) -> None:
        self.url = url
        self.env = env or {}
        """What another process needs to use the same transport."""
        self.options = Options(url=url, app_id="/shop", **options)
        self.module = transport(url)
        self._open: list[Publisher | Subscriber] = []
        self._ids = itertools.count(1)
        self.publisher = self.another_publisher()

    def another_publisher(self) -> Publisher:
        publisher = self.module.Publisher(self.options)
        self._open.append(publisher)
        return publisher

    def consumer(self, name: str, *keys: str, **policy: Any) -> Consumer:
        """A consumer of these keys, declared."""
        consumer = Consumer(name, retries=(1, 2), **policy)
        for key in keys:
            consumer.handles(key)(print)
        self.declare(consumer)
        return consumer

    def declare(self, *consumers: Consumer) -> None:
        wait_for(lambda: self._declared(topology_of(consumers)), 30, every=0.3, what="the broker to declare")

    def _declared(self, topology: Topology) -> bool:
        """As a daemon does: for some seconds after a restart RabbitMQ 3.10 may answer INTERNAL_ERROR (541)."""
        try:
            self.module.declare(self.options, topology)
        except Unavailable as error:
            if "INTERNAL_ERROR" in str(error):
                return False
            raise
        return True

    def missing(self, *consumers: Consumer) -> list[str]:
        return self.module.missing(self.options, topology_of(consumers))

    def message(self, key: str, **properties: Any) -> Message:
        number = next(self._ids)
        return Message(
            **{
                "destination": EVENTS,
                "routing_key": key,
                "body": b'{"n":%d}' % number,
                "id": f"id-{number}",
                "type": key,
                "source": "/shop",
                **properties,
            }
        )

    def publish(self, *keys: str) -> list[Message]:
        """Publish a message for each key; all must find a queue."""
        messages = [self.message(key) for key in keys]
        assert states(self.publisher.publish(messages)) == ["confirmed"] * len(keys)
        return messages

    def subscriber(self, consumer: Consumer, prefetch: int = 10) -> Subscriber:
        queue = queue_of(consumer)
        subscriber = self.module.Subscriber(self.options, queue, prefetch=prefetch, retries=self.publisher)
        self._open.insert(0, subscriber)
        return subscriber

    def close(self) -> None:
        for each in self._open:
            with suppress(Unavailable):
                each.close(1)


def states(outcomes: Any) -> list[str]:
    return [outcome.state for outcome in outcomes]


def take(subscriber: Subscriber, count: int, timeout: float = 20) -> list[Delivery]:
    """The next so many deliveries, unsettled; AssertionError if they do not come in time."""
    taken: list[Delivery] = []
    until = monotonic() + timeout
    if count:
        for delivery in subscriber.deliveries(0.1):
            if delivery is not None:
                taken.append(delivery)
            if len(taken) == count:
                break
            assert monotonic() < until, f"{len(taken)} of {count} arrived within {timeout} s"
    return taken


def nothing_comes(subscriber: Subscriber, within: float = 0.3) -> bool:
    """Whether nothing arrives in that time. (What is served meanwhile are acknowledgements.)"""
    return next(iter(subscriber.deliveries(within))) is None
