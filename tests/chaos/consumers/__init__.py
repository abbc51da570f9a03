"""A consumer of each kind. They do their work first, and misbehave then: what they did must be undone."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from eventbridge import Event
from tests.chaos.contracts import Happened
from tests.chaos.endings import TIMEOUT as TIMEOUT
from tests.chaos.misdeeds import misbehave
from tests.chaos.notes import note

RETRIES = (0.3, 0.6, 1.2)


@contextmanager
def at_work(event: Event[Happened], consumer: str) -> Iterator[None]:
    """Note when the handler began, and when it was over, if it ever was."""
    run = f"{consumer} {event.id} {os.environ['CHAOS_PROCESS']} {time.monotonic():.3f}"
    note("begun", run)
    try:
        yield
    finally:
        note("over", f"{run} {time.monotonic():.3f}")


def take_effect(event: Event[Happened], consumer: str) -> None:
    """Leave a row, in the handler's transaction."""
    from tests.chaos.models import Effect

    with at_work(event, consumer):
        Effect.objects.create(consumer=consumer, event_id=event.id, key=event.data.key, n=event.data.n)
        misbehave(event, consumer)
