"""A consumer whose work is in no transaction."""

from eventbridge import Consumer, Event
from tests.crash.consumers import RETRIES, Told, begin

consumer = Consumer("crash.outside", atomic=False, retries=RETRIES)


@consumer.handles(Told)
def tell(event: Event[Told]) -> None:
    begin(event)
