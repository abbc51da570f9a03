"""Tables and saves: what every project's program begins with."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from statistics import median
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from benchmarks.store.books import book  # noqa: E402
from benchmarks.store.models import PlainBook, Stock  # noqa: E402

STOCK = 1000
_WARM_UP = 3
Save = Callable[[dict[str, Any]], Any]
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


def in_turn(saves: Mapping[str, Save], transactions: int, each: int) -> dict[str, float]:
    """Microseconds for each save, ``each`` in a transaction: the median over transactions that take turns.

    In turn, so that what else the machine does slows all of them; the median, so that a moment of it slows none.
    """
    fields = books()
    taken: dict[str, list[float]] = {name: [] for name in saves}
    for turn in range(_WARM_UP + transactions):
        for name, save in saves.items():
            began = time.perf_counter()
            with transaction.atomic():
                for _ in range(each):
                    save(next(fields))
            if turn >= _WARM_UP:
                taken[name].append((time.perf_counter() - began) / each * 1e6)
    return {name: median(found) for name, found in taken.items()}


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
