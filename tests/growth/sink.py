"""A queue that nobody reads: what arrives there is counted."""

from eventbridge import Consumer, Event
from tests.soak.contracts import Happened

consumer = Consumer("growth.sink")


@consumer.handles(Happened)
def ignore(event: Event[Happened]) -> None:
    """Never called."""
