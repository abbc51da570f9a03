"""A consumer for events that end the process which handles them, one way or another."""

import ctypes
import os
import signal
import time

from eventbridge import Consumer, Event, event_type
from tests.shop.models import Note


@event_type("e2e.drunk.v1")
class Drunk:
    """What comes of it: "note", "exit", "kill" (as the kernel does where memory is short), "segfault", "hang"."""

    text: str
    does: str = "note"


consumer = Consumer(
    "e2e.poison",
    retries=(0.2,),
    concurrency=int(os.environ.get("E2E_CONCURRENCY", "1")),
    batch=int(os.environ.get("E2E_BATCH", "1")),
    timeout=float(os.environ.get("E2E_TIMEOUT", "60")),
)


@consumer.handles(Drunk)
def drink(event: Event[Drunk]) -> None:
    time.sleep(0.05 if event.data.does == "note" else 0.02)  # so that its neighbours are in the midst of it
    Note.objects.create(text=event.data.text)
    match event.data.does:
        case "exit":
            os._exit(9)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "hang":
            time.sleep(3600)
