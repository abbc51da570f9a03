"""Consumers for the daemons under test: they leave a note, or misbehave as the event says."""

import os
import time

from eventbridge import Consumer, Event, event_type
from tests.shop.models import Note


@event_type("e2e.told.v1", key="key")
class Told:
    """What a handler is to do: "note", "fail", "fail once", "die", "hang", "slow"."""

    text: str
    does: str = "note"
    key: str = ""


consumer = Consumer("e2e.notes", concurrency=2, retries=(0.2, 0.4), timeout=float(os.environ.get("E2E_TIMEOUT", "60")))
others = Consumer("e2e.others", retries=(0.2,))
ordered = Consumer("e2e.ordered", ordered=True, retries=(0.05, 0.05))
outside = Consumer("e2e.outside", atomic=False, retries=(0.2,))


@consumer.handles(Told)
def tell(event: Event[Told]) -> None:
    """Leaves a note, and does what it is told."""
    if event.data.does != "hang":  # which would keep SQLite locked
        Note.objects.create(text=event.data.text)
    match event.data.does:
        case "fail":
            raise ValueError("as it was told")
        case "die":
            os._exit(9)
        case "hang":
            print("hanging", flush=True)  # noqa: T201 - what the test waits for
            time.sleep(3600)
        case "slow":
            print(f"slow {event.data.text}", flush=True)  # noqa: T201 - what the test waits for
            time.sleep(1.5)


@others.handles("e2e.#")
def tell_others(event: Event[dict[str, str]]) -> None:
    Note.objects.create(text=f"others {event.data['text']}")


@ordered.handles(Told)
def tell_in_order(event: Event[Told]) -> None:
    first_time = not Note.objects.filter(text=f"tried {event.data.text}").exists()
    if event.data.does == "fail once" and first_time:
        Note.objects.using("archive").create(text="failed once")
        if Note.objects.using("archive").count() == 1:
            raise ValueError("as it was told, once")
    Note.objects.create(text=f"ordered {event.data.text}")


@outside.handles(Told)
def tell_outside(event: Event[Told]) -> None:
    Note.objects.create(text=f"outside {event.data.text}")
