"""A consumer that is slower than a drain is patient."""

import time

from eventbridge import Consumer, Event
from eventbridge.drain import QUIET
from tests.shop.contracts import OrderSaved
from tests.shop.models import Note

consumer = Consumer("cli.slow", atomic=False)


@consumer.handles(OrderSaved)
def sleep(event: Event[OrderSaved]) -> None:
    time.sleep(QUIET + 0.5)
    Note.objects.create(text=str(event.data.order_id))
