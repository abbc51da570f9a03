"""What django-outbox-pattern's subscriber calls."""

from typing import Any

from django.db import transaction
from django.db.models import F

from benchmarks.store.models import Stock
from benchmarks.ticks import tick

QUEUE = "bench.outbox-pattern-work"
DESTINATION = "/exchange/bench.outbox-pattern/book.work"


def sell(payload: Any) -> None:
    """Its inbox row and one UPDATE, together."""
    number = payload.body["book_id"]
    tick(number)
    with transaction.atomic():
        Stock.objects.filter(pk=number % 1000 + 1).update(sold=F("sold") + 1)
        payload.save()
