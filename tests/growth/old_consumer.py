"""The consumer whose rows the first version wrote."""

from eventbridge import Consumer, Event
from tests.shop.contracts import OrderSaved
from tests.shop.models import Note

consumer = Consumer("growth.old")


@consumer.handles(OrderSaved)
def note(event: Event[OrderSaved]) -> None:
    Note.objects.create(text=f"{event.id[-1]} {event.data.order_id}")
