"""The consumer that is measured; how it is set, and what its handler does, is in the environment."""

import os
import time

from django.db.models import F

from benchmarks.store.contracts import BookSaved
from benchmarks.store.models import Stock
from benchmarks.ticks import tick
from eventbridge import Consumer, Event, Reject

NAME = "bench.work"
consumer = Consumer(
    NAME,
    batch=int(os.environ.get("BENCH_BATCH", "1")),
    concurrency=int(os.environ.get("BENCH_CONCURRENCY", "1")),
)


def update(event: Event[BookSaved]) -> None:
    """One UPDATE by the ORM."""
    tick(event.data.book_id)
    Stock.objects.filter(pk=event.data.book_id % 1000 + 1).update(sold=F("sold") + 1)


def failing(event: Event[BookSaved]) -> None:
    """The same, but for one event in a hundred."""
    update(event)
    if event.data.book_id % 100 == 0:
        raise Reject("one in a hundred")


def wait(event: Event[BookSaved]) -> None:
    """As for an answer from elsewhere."""
    tick(event.data.book_id)
    time.sleep(0.005)


def ignore(event: Event[BookSaved]) -> None:
    tick(event.data.book_id)


consumer.handles(BookSaved)(globals()[os.environ.get("BENCH_HANDLER", "update")])
