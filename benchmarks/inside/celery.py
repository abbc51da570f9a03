"""What the benches tell Celery to do."""

from typing import Any

from celery import Celery, Task

from benchmarks.child import serve
from benchmarks.inside.celery_tasks import app as plain_app
from benchmarks.inside.celery_tasks import configure, ignore, sell
from benchmarks.inside.tables import books, empty, prepare, save_plain, timed, written
from benchmarks.store.models import PlainBook

confirming_app = configure(Celery("bench-confirms", set_as_current=False), "bench.celery", confirms=True)
confirming_sell = confirming_app.task(name="benchmarks.inside.celery_tasks.sell")(sell.run)


def saved(transactions: int, each: int) -> float:
    """Microseconds for each save that is followed by a task, published on commit."""
    return _saved(plain_app, sell, transactions, each)


def saved_confirmed(transactions: int, each: int) -> float:
    """The same with publisher confirms, which Celery does not ask for by itself."""
    return _saved(confirming_app, confirming_sell, transactions, each)


def _saved(app: Celery, task: Task, transactions: int, each: int) -> float:
    empty("store_plainbook")
    app.control.purge()

    def save(fields: dict[str, Any]) -> None:
        save_plain(fields)
        task.delay_on_commit(1, **fields)

    return timed(save, transactions, each)


def write(events: int, rate: float) -> list[tuple[int, float]]:
    """Save so many books, a task each, published on commit; when each was committed, by its number."""
    return written(_save_and_publish, events, rate)


def _save_and_publish(number: int, fields: dict[str, Any]) -> int:
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
    serve(prepare, saved, saved_confirmed, fill, write)
