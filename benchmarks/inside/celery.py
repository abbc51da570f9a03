"""What the benches tell Celery to do."""

from typing import Any

from celery import Celery, Task

from benchmarks.child import serve
from benchmarks.inside.celery_tasks import app as plain_app
from benchmarks.inside.celery_tasks import configure, ignore, sell
from benchmarks.inside.tables import books, empty, in_turn, prepare, save_plain, written
from benchmarks.store.models import PlainBook

confirming_app = configure(Celery("bench-confirms", set_as_current=False), "bench.celery", confirms=True)
confirming_sell = confirming_app.task(name="benchmarks.inside.celery_tasks.sell")(sell.run)


def saves(transactions: int, each: int) -> dict[str, float]:
    """Microseconds for each save: plain, and followed by a task that is published on commit, without and with confirms.

    Celery asks for no confirms by itself.
    """
    empty("store_plainbook")
    plain_app.control.purge()
    ways = {
        "plain save": save_plain,
        "save with its task": lambda fields: _save_and_publish(fields, sell),
        "with confirms": lambda fields: _save_and_publish(fields, confirming_sell),
    }
    return in_turn(ways, transactions, each)


def _save_and_publish(fields: dict[str, Any], task: Task) -> None:
    save_plain(fields)
    task.delay_on_commit(1, **_payload(fields))


def write(events: int, rate: float) -> list[tuple[int, float]]:
    """Save so many books, a task each, published on commit; when each was committed, by its number."""
    return written(_save_and_note, events, rate)


def _save_and_note(number: int, fields: dict[str, Any]) -> int:
    PlainBook(**fields).save()
    ignore.delay_on_commit(number, **_payload(fields))
    return number


def fill(events: int, task: str) -> None:
    """Publish so many tasks."""
    fields = books()
    with plain_app.producer_pool.acquire(block=True) as producer:
        for number in range(events):
            plain_app.send_task(
                f"benchmarks.inside.celery_tasks.{task}", (number,), _payload(next(fields)), producer=producer
            )


def _payload(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("title", "slug", "status", "author_id")}


if __name__ == "__main__":
    serve(prepare, saves, fill, write)
