"""The payloads whose bytes are frozen beside this file."""

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from eventbridge import Event, event_type


class Colour(enum.Enum):
    RED = "red"


@dataclass(frozen=True)
class Line:
    product: str
    quantity: int
    price: Decimal


@event_type("wire.order.paid.v1", key="order_id")
class OrderPaid:
    """An order was paid."""

    order_id: int
    email: str


@event_type("wire.everything.v1")
class Everything:
    """A field of every kind that a payload may have."""

    text: str
    whole: int
    truth: bool
    fraction: float
    money: Decimal
    identity: UUID
    moment: datetime
    day: date
    colour: Colour
    absent: int | None
    present: int | None
    words: list[str]
    prices: dict[str, Decimal]
    line: Line
    lines: list[Line]
    anything: Any
    by_default: str = "as it was"


EVERYTHING = Everything(
    text='Größe "8½" \\ 日本 🎈\n\u2028\x00</script>',
    whole=-9_007_199_254_740_993,
    truth=True,
    fraction=0.1,
    money=Decimal("12.30"),
    identity=UUID("0123456789abcdef0123456789abcdef"),
    moment=datetime(2026, 2, 3, 4, 5, 6, 789_012, tzinfo=UTC),
    day=date(2026, 2, 3),
    colour=Colour.RED,
    absent=None,
    present=0,
    words=["", "two words"],
    prices={"net": Decimal("1.10"), "gross": Decimal("1E+3")},
    line=Line(product="tea", quantity=2, price=Decimal("3.00")),
    lines=[Line(product="milk", quantity=1, price=Decimal("0.99"))],
    anything={"list": [1, 2.5, None, False], "text": "free"},
)

CONTEXT: dict[str, Any] = {
    "id": "0199d1b2-7c00-7abc-8def-0123456789ab",
    "source": "/shop",
    "time": datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC),
}

PAID = Event(
    **CONTEXT,
    type="wire.order.paid.v1",
    subject="42",
    partitionkey="order_id:42",
    dataschema="https://schemas.example.org/wire.order.paid.v1.json",
    correlationid="0199d1b2-0000-7abc-8def-0123456789ab",
    causationid="0199d1b2-1111-7abc-8def-0123456789ab",
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    data=OrderPaid(order_id=42, email="ann@example.org"),
)
ALL_TYPES = Event(**CONTEXT, type="wire.everything.v1", data=EVERYTHING)
