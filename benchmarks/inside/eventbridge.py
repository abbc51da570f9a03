"""Inside our own environment."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

from django.db import connection, transaction

from benchmarks.child import serve
from benchmarks.inside.tables import books, empty, in_turn, prepare, save_plain, written
from benchmarks.store.contracts import BookSaved
from benchmarks.store.models import Book
from eventbridge import Event, assembly, emit, emit_many
from eventbridge.consumer import consumers_in
from eventbridge.models import doorbell
from eventbridge.topology import topology_of
from eventbridge.transports import Message
from eventbridge.wire import encode, with_sequence

_TABLES = ("store_book", "store_plainbook", "eventbridge_outbox")


def saves(transactions: int, each: int) -> dict[str, float]:
    """Microseconds for each save, plain and of a bridged model."""
    empty(*_TABLES)
    return in_turn({"plain save": save_plain, "save with its event": _save_bridged}, transactions, each)


def _save_bridged(fields: dict[str, Any]) -> None:
    Book(**fields).save()


def saves_at_once(writers: int, transactions: int, rest: float, rings: bool) -> float:
    """Microseconds of a save by so many threads, each with that rest before it; whether it asks to wake the relay."""
    ring = doorbell.ring if rings else lambda _: ""
    with patch("eventbridge.models.doorbell.ring", ring), ThreadPoolExecutor(writers) as threads:
        each = [threads.submit(_save_again_and_again, transactions, rest) for _ in range(writers)]
        taken = [figure for future in each for figure in future.result()]
    return statistics.median(taken) * 1e6


def _save_again_and_again(transactions: int, rest: float) -> list[float]:
    fields, taken = books(), []
    for _ in range(transactions):
        time.sleep(rest)
        one, began = next(fields), time.perf_counter()
        with transaction.atomic():
            _save_bridged(one)
        taken.append(time.perf_counter() - began)
    connection.close()
    return taken


def emits(transactions: int, events: int) -> dict[str, float]:
    """Microseconds for each event of a transaction that emits so many, by themselves and together."""
    empty(*_TABLES)
    fields = books()
    data = [_saved(number, next(fields)) for number in range(events)]
    ways = {"emit": lambda _: [emit(one) for one in data], "emit_many": lambda _: emit_many(data)}
    return {name: taken / events for name, taken in in_turn(ways, transactions, 1).items()}


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
    if _kept() < events:
        _emit_and_keep(events)
    empty("eventbridge_outbox")
    if events == 0:
        return
    columns = "event_id, type, mandatory, headers, body, created_at"
    with connection.cursor() as cursor:
        statement = f"INSERT INTO eventbridge_outbox ({columns}) SELECT {columns} FROM bench_kept ORDER BY id LIMIT %s"  # noqa: S608
        cursor.execute(statement, [events])
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


def write(events: int, rate: float) -> list[tuple[int, float]]:
    """Save so many books a second; when each was committed, by its number."""
    return written(lambda _, fields: _book(fields).pk, events, rate)


def _book(fields: dict[str, Any]) -> Book:
    book = Book(**fields)
    book.save()
    return book


def emit_large(events: int) -> None:
    """Events of nearly a megabyte each."""
    fields = next(books())
    for number in range(events):
        emit(_saved(number, {**fields, "title": "x" * 1_000_000}))


def emit_wide(events: int) -> None:
    """Events of a hundred types, one after the other."""
    from benchmarks.consumers.wide import PAYLOADS

    empty("eventbridge_outbox")
    emit_many(PAYLOADS[number % len(PAYLOADS)](number=number) for number in range(events))


def left() -> int:
    """What is still in the outbox."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM eventbridge_outbox")
        return int(cursor.fetchone()[0])


def imported(what: str) -> float:
    """Milliseconds to import this in a new interpreter; the best of five."""
    bare = {**os.environ, "BENCH_PROJECT": "none"}
    code, env = {
        "nothing": ("pass", bare),
        "eventbridge": ("import eventbridge; eventbridge.emit, eventbridge.bridge", bare),
        "django.setup() without eventbridge": ("import django; django.setup()", bare),
        "django.setup() with eventbridge": (_WEB, dict(os.environ)),
    }[what]
    return min(_seconds(code, env) for _ in range(5)) * 1000


_WEB = "import sys, django; django.setup(); sys.exit('kombu' in sys.modules or 'pika' in sys.modules)"


def _seconds(code: str, env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    return time.perf_counter() - began


def empty_everything() -> None:
    """Forget all events."""
    empty("eventbridge_outbox", "eventbridge_broker_message")


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
        prepare, saves, saves_at_once, emits,
        declare, fill_outbox, fill_queue, write, emit_large, emit_wide, left, imported,
        empty_everything, empty_broker, routed,
    )  # fmt: skip
