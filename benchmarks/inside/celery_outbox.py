"""Inside django-celery-outbox's environment. Its relay publishes with confirms: without them it would lose tasks."""

from importlib import import_module
from typing import Any

from django_celery_outbox import OutboxCelery

from benchmarks.inside.celery_tasks import configure

QUEUE = "bench.celery-outbox"
app = configure(OutboxCelery("bench"), QUEUE, confirms=True)


@app.task
def sell(number: int, **book: Any) -> None:
    """Never run: the relay is measured, and nobody drains its queue."""


def main() -> None:
    import logging

    import structlog

    from benchmarks.child import serve
    from benchmarks.inside.tables import books, empty, in_turn, prepare, save_plain

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    def saves(transactions: int, each: int) -> dict[str, float]:
        """Microseconds for each save: plain, and followed by a task through the outbox."""
        empty("store_plainbook", "celery_outbox")

        def save(fields: dict[str, Any]) -> None:
            save_plain(fields)
            sell.delay(1, **fields)

        return in_turn({"plain save": save_plain, "save with its task": save}, transactions, each)

    def fill(events: int) -> None:
        """Put so many tasks into its outbox: one by its own hand, the rest like it."""
        from celery.utils import uuid
        from django.db import connection, transaction
        from django_celery_outbox.models import CeleryOutbox

        empty("celery_outbox")
        fields = books()
        with transaction.atomic():
            sell.delay(0, **next(fields))
        first = CeleryOutbox.objects.get()
        made = {field.name: getattr(first, field.name) for field in CeleryOutbox._meta.fields if field.name != "id"}
        rows = [CeleryOutbox(**{**made, "task_id": uuid(), "kwargs": next(fields)}) for _ in range(events - 1)]
        CeleryOutbox.objects.bulk_create(rows, batch_size=1000)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE celery_outbox")

    serve(prepare, saves, fill)


if __name__ == "__main__":
    # Under its own name, so that tasks are called what its relay and its workers call them.
    import_module("benchmarks.inside.celery_outbox").main()
