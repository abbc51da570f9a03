"""One at a time, in order, by one process at a time."""

from eventbridge import Consumer, Event
from tests.chaos.consumers import TIMEOUT, take_effect
from tests.chaos.contracts import Happened

consumer = Consumer("chaos.ordered", ordered=True, retries=(0.1, 0.2, 0.4), timeout=TIMEOUT)


@consumer.handles(Happened)
def handle(event: Event[Happened]) -> None:
    take_effect(event, consumer.name)
