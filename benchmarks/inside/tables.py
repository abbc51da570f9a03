"""Tables and saves: what every project's program begins with."""

import random
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from benchmarks.store.books import book  # noqa: E402
from benchmarks.store.models import PlainBook, Stock  # noqa: E402

STOCK = 1000
_WARM_UP = 20
_numbers = count(1)


def prepare() -> None:
    """Create the tables, and what handlers change."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    if not Stock.objects.exists():
        Stock.objects.bulk_create([Stock(pk=number + 1) for number in range(STOCK)])


def books() -> Iterator[dict[str, Any]]:
    """New ones, without end."""
    for number in _numbers:
        yield book(number)


def timed(save: Callable[[dict[str, Any]], Any], transactions: int, each: int) -> float:
    """Microseconds for each save, ``each`` in a transaction, once it is warm."""
    fields = books()
    with transaction.atomic():
        for _ in range(_WARM_UP):
            save(next(fields))
    began = time.perf_counter()
    for _ in range(transactions):
        with transaction.atomic():
            for _ in range(each):
                save(next(fields))
    return (time.perf_counter() - began) / (transactions * each) * 1e6


def written(save: Callable[[int, dict[str, Any]], int], events: int, rate: float) -> list[tuple[int, float]]:
    """Save so many a second, each in a transaction: (what ``save`` returns, when it was committed).

    The time is taken by the first thing that is done on commit: before anybody publishes there.
    """
    found: list[tuple[int, float]] = []
    due = time.monotonic()
    for _, fields in zip(range(events), books(), strict=False):
        due += random.uniform(0.5, 1.5) / rate
        time.sleep(max(0.0, due - time.monotonic()))
        committed: list[float] = []
        with transaction.atomic():
            transaction.on_commit(lambda noted=committed: noted.append(time.time()))  # type: ignore[misc]
            saved = save(next(_numbers), fields)
        found.append((saved, committed[0]))
    return found


def save_plain(fields: dict[str, Any]) -> None:
    PlainBook(**fields).save()


def empty(*tables: str) -> None:
    """Forget what was written, at once."""
    with connection.cursor() as cursor:
        for table in tables:
            statement = "TRUNCATE" if connection.vendor == "postgresql" else "DELETE FROM"
            cursor.execute(f"{statement} {table}")
