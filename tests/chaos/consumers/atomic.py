"""Four at a time, each in a transaction of its own."""

from eventbridge import Consumer, Event
from tests.chaos.consumers import RETRIES, TIMEOUT, take_effect
from tests.chaos.contracts import Happened

consumer = Consumer("chaos.atomic", concurrency=4, retries=RETRIES, timeout=TIMEOUT)


@consumer.handles(Happened)
def handle(event: Event[Happened]) -> None:
    take_effect(event, consumer.name)
