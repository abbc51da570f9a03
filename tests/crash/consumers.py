"""A consumer that does what the event says, and notes on a file how often it was asked."""

import os
import time
from pathlib import Path

from eventbridge import Consumer, Event, Reject, event_type
from tests.services.waiting import wait_for
from tests.shop.models import Note

RETRIES = (0.1, 0.2)


@event_type("crash.told.v1", key="text")
class Told:
    """What a handler is to do: "note", "wait" for the word, "fail", "reject" or "hang", always or "once"."""

    text: str
    does: str = "note"


@event_type("crash.unwanted.v1", key="text")
class Unwanted:
    """No consumer wants it."""

    text: str


consumer = Consumer("crash.notes", retries=RETRIES)


@consumer.handles(Told)
def tell(event: Event[Told]) -> None:
    """Leave a note, which goes if the handler fails, and a line in the log, which stays."""
    first_time = begin(event) == 1
    Note.objects.create(text=event.data.text)
    match event.data.does:
        case "fail":
            raise ValueError("as it was told")
        case "fail once" if first_time:
            raise ValueError("as it was told, once")
        case "reject":
            raise Reject("as it was told")
        case "reject once" if first_time:
            raise Reject("as it was told, once")
        case "hang once" if first_time:
            time.sleep(3600)
        case "wait":
            wait_for_the_word()
        case "wait, fail":
            wait_for_the_word()
            raise ValueError("as it was told")


def begin(event: Event[Told]) -> int:
    """Write down that this event is tried, as no transaction can undo; how often that is by now."""
    log = Path(os.environ["CRASH_LOG"])
    with log.open("a") as file:
        file.write(f"{event.data.text} {event.id}\n")
    return log.read_text().count(f" {event.id}\n")


def wait_for_the_word() -> None:
    """Until the test lets everyone go on."""
    wait_for(Path(f"{os.environ['CRASH_LOG']}.go").exists, 30, what="the word to go on")
