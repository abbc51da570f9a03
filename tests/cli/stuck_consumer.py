"""A consumer whose handler never returns. No transaction is open meanwhile."""

import threading

from eventbridge import Consumer, Event
from tests.shop.contracts import OrderSaved

consumer = Consumer("cli.stuck", atomic=False)


@consumer.handles(OrderSaved)
def hang(event: Event[OrderSaved]) -> None:
    threading.Event().wait()
