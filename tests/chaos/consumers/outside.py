"""Work outside of the database: a line in a file, which no transaction takes back."""

from eventbridge import Consumer, Event
from tests.chaos.consumers import RETRIES, TIMEOUT, at_work
from tests.chaos.contracts import Happened
from tests.chaos.misdeeds import misbehave
from tests.chaos.notes import note

consumer = Consumer("chaos.outside", atomic=False, concurrency=2, retries=RETRIES, timeout=TIMEOUT)


@consumer.handles(Happened)
def handle(event: Event[Happened]) -> None:
    with at_work(event, consumer.name):
        note("outside", event.id)
        misbehave(event, consumer.name)
