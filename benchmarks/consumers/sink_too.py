"""A second queue for the same events."""

from benchmarks.store.contracts import BookSaved
from eventbridge import Consumer, Event

consumer = Consumer("bench.sink-too")


@consumer.handles(BookSaved)
def ignore(event: Event[BookSaved]) -> None:
    """Never called."""
