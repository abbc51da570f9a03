"""Inside our own environment."""

import time
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from benchmarks.child import serve
from benchmarks.inside.tables import books, empty, prepare, save_plain, timed
from benchmarks.store.contracts import BookSaved
from benchmarks.store.models import Book
from eventbridge import Event, assembly, emit, emit_many
from eventbridge.consumer import consumers_in
from eventbridge.topology import topology_of
from eventbridge.transports import Message
from eventbridge.wire import encode, with_sequence

_TABLES = ("store_book", "store_plainbook", "eventbridge_outbox")


def plain(transactions: int, each: int) -> float:
    """Microseconds for each plain save."""
    empty(*_TABLES)
    return timed(save_plain, transactions, each)


def bridged(transactions: int, each: int) -> float:
    """Microseconds for each save of a bridged model."""
    empty(*_TABLES)
    return timed(lambda fields: Book(**fields).save(), transactions, each)


def autocommit(model: str, saves: int) -> float:
    """Microseconds for each save outside of a transaction."""
    empty(*_TABLES)
    fields = books()
    save = save_plain if model == "plain" else lambda found: Book(**found).save()
    began = time.perf_counter()
    for _ in range(saves):
        save(next(fields))
    return (time.perf_counter() - began) / saves * 1e6


def single_emits(events: int) -> float:
    """Microseconds for each emit() of so many in one transaction."""
    return _emits(events, lambda found: [emit(data) for data in found])


def emit_together(events: int) -> float:
    """Microseconds for each event of one emit_many()."""
    return _emits(events, emit_many)


def _emits(events: int, record: Any) -> float:
    empty(*_TABLES)
    fields = books()
    began = time.perf_counter()
    with transaction.atomic():
        record([_saved(number, next(fields)) for number in range(events)])
    return (time.perf_counter() - began) / events * 1e6


def _saved(number: int, fields: dict[str, Any]) -> BookSaved:
    return BookSaved(
        book_id=number,
        title=fields["title"],
        slug=fields["slug"],
        status=fields["status"],
        author_id=fields["author_id"],
        created=True,
    )


def declare(modules: Sequence[str] = ("benchmarks.consumers.sink",)) -> None:
    """Create the queues of these consumers."""
    assembly.declare(topology_of(consumers_in(modules)))


def fill_outbox(events: int) -> None:
    """Put so many events into the outbox, and nothing else: those of the first time, again."""
    if _kept() != events:
        _emit_and_keep(events)
    empty("eventbridge_outbox")
    columns = "event_id, type, mandatory, headers, body, created_at"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO eventbridge_outbox ({columns}) SELECT {columns} FROM bench_kept ORDER BY id")  # noqa: S608
        cursor.execute("ANALYZE eventbridge_outbox")


def _kept() -> int:
    if "bench_kept" not in connection.introspection.table_names():
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM bench_kept")
        return int(cursor.fetchone()[0])


def _emit_and_keep(events: int) -> None:
    empty("eventbridge_outbox")
    fields = books()
    for start in range(0, events, 5000):
        emit_many(_saved(number, next(fields)) for number in range(start, min(start + 5000, events)))
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_kept")
        cursor.execute("CREATE TABLE bench_kept AS SELECT * FROM eventbridge_outbox")


def fill_queue(queue: str, events: int) -> None:
    """Put so many events straight into a queue, as the relay publishes them."""
    publisher, fields = assembly.open_publisher(), books()
    for start in range(0, events, 1000):
        numbers = range(start, min(start + 1000, events))
        publisher.publish([_message(queue, _saved(number, next(fields))) for number in numbers])
    publisher.close(1.0)


def _message(queue: str, data: BookSaved) -> Message:
    event = Event.about(data, source="/bench")
    body = with_sequence(encode(event), data.book_id)
    return Message(destination="", routing_key=queue, body=body, id=event.id, type=event.type, source="/bench")


def empty_broker() -> None:
    """Forget what is in the embedded broker's queues."""
    empty("eventbridge_broker_message")


def routed() -> int:
    """Messages in the embedded broker's queues."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id) - min(id) + 1, 0) FROM eventbridge_broker_message")
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    serve(
        prepare, plain, bridged, autocommit, single_emits, emit_together,
        declare, fill_outbox, fill_queue, empty_broker, routed,
    )  # fmt: skip
