"""A queue that nobody drains: what the relay publishes is counted there."""

from benchmarks.store.contracts import BookSaved
from eventbridge import Consumer, Event

consumer = Consumer("bench.sink")


@consumer.handles(BookSaved)
def ignore(event: Event[BookSaved]) -> None:
    """Never called."""
