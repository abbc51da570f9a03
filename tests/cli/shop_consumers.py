"""A consumer for the command line's tests: it leaves a note, or fails as long as there is one that says so."""

from eventbridge import Consumer, Event
from tests.shop.contracts import OrderSaved
from tests.shop.models import Note

consumer = Consumer("cli.mail", retries=(1, 30), concurrency=2)


@consumer.handles(OrderSaved)
def note(event: Event[OrderSaved]) -> None:
    if Note.objects.filter(text="fail").exists():
        raise ValueError("as the note says")
    Note.objects.create(text=str(event.data.order_id))


def no_consumer() -> None: ...
