"""A consumer that handles several events in one transaction."""

from eventbridge import Consumer, Event
from tests.crash.consumers import RETRIES, Told, begin
from tests.shop.models import Note

consumer = Consumer("crash.batches", batch=10, retries=RETRIES)


@consumer.handles(Told)
def tell(event: Event[Told]) -> None:
    begin(event)
    Note.objects.create(text=event.data.text)
