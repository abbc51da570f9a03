"""The events that the fuzzed consumers understand: a typed one for each, and anything under ``any``."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from eventbridge import event_type

CONSUMERS = ("fuzz.single", "fuzz.batch", "fuzz.ordered", "fuzz.outside")
AT_LEAST_ONCE = ("fuzz.outside",)


def typed(consumer: str) -> str:
    """The event type that this consumer reads into a class."""
    return f"{consumer}.paid.v1"


def untyped(consumer: str) -> str:
    """The one that it takes as plain JSON."""
    return f"{consumer}.any.v1"


def _paid(consumer: str) -> type[Any]:
    class Paid:
        """An order was paid. ``does`` is what the handler is to do: "", "fail", "retry", "reject"."""

        order_id: int
        email: str
        amount: Decimal = Decimal(0)
        at: datetime | None = None
        lines: list[str] | None = None
        does: str = ""

    return event_type(typed(consumer), key="order_id")(Paid)


PAID = {consumer: _paid(consumer) for consumer in CONSUMERS}
