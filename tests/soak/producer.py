"""A producer: so many events a second, in small transactions and now and then in a large one, until it is stopped."""

import os
import time
from pathlib import Path

import django
from django.db import DatabaseError, InterfaceError, connection, transaction

from eventbridge import emit, emit_many
from tests.soak.contracts import Happened

_LARGE_EVERY = 100
_LARGE = 200
_WORDS = "whatever people say when they have nothing to say, " * 4


def run(rate: float, hold: Path) -> None:
    """Produce ``rate`` events a second; rest while there is a file ``hold``."""
    count, due = 0, time.monotonic()
    while True:
        size = 1 if count % _LARGE_EVERY else _LARGE
        try:
            _record([Happened(n=count + n, what=_WORDS) for n in range(size)])
        except (DatabaseError, InterfaceError):
            connection.close()
        count += size
        due = max(due + size / rate, time.monotonic() - 1.0)
        time.sleep(max(0.0, due - time.monotonic()))
        while hold.exists():
            time.sleep(0.2)


def _record(events: list[Happened]) -> None:
    from tests.soak.models import Committed

    with transaction.atomic():
        Committed.objects.create(events=len(events))
        if len(events) == 1:
            emit(events[0])
        else:
            emit_many(events)


if __name__ == "__main__":
    django.setup()
    run(float(os.environ["SOAK_RATE"]), Path(os.environ["SOAK_HOLD"]))
