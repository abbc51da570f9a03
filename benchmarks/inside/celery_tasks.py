"""Celery's application: the task that handles a book, on a quorum queue of its own."""

import os
import time
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from benchmarks.ticks import tick

QUEUE = "bench.celery"


def configure(app: Celery, queue: str, *, confirms: bool) -> Celery:
    """Durable quorum queues and acks after the work, as we do; no result is kept, as we keep none."""
    app.conf.update(
        broker_url=os.environ.get("BENCH_BROKER_URL"),
        broker_transport_options={"confirm_publish": confirms},
        task_default_queue=queue,
        task_queues=[Queue(queue, Exchange(queue), routing_key=queue, queue_arguments={"x-queue-type": "quorum"})],
        task_default_queue_type="quorum",
        task_acks_late=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "4")),
        broker_connection_retry_on_startup=True,
        worker_enable_remote_control=False,
        CELERY_DB_REUSE_MAX=1_000_000,  # persistent connections, as everybody else has here
    )
    return app


app = configure(Celery("bench"), QUEUE, confirms=os.environ.get("BENCH_CONFIRMS") == "1")


@app.task
def sell(number: int, **book: Any) -> None:
    """What our own handler does: one UPDATE."""
    from django.db.models import F

    from benchmarks.store.models import Stock

    tick(number)
    Stock.objects.filter(pk=number % 1000 + 1).update(sold=F("sold") + 1)


@app.task
def wait(number: int, **book: Any) -> None:
    tick(number)
    time.sleep(0.005)


@app.task
def ignore(number: int, **book: Any) -> None:
    tick(number)
