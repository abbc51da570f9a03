"""A consumer that does, or does not do, what the event says."""

from typing import Any

from eventbridge import Consumer, Event, Reject, emit, event_type
from tests.shop.models import Note


@event_type("telemetry.asked.v1", key="text")
class Asked:
    text: str
    fail: int = 0
    reject: bool = False
    emits: bool = False


@event_type("telemetry.nobody.v1")
class Nobody:
    """No queue wants it, and one should."""


@event_type("telemetry.whoever.v1", mandatory=False)
class Whoever:
    """No queue wants it, and that is fine."""


consumer = Consumer("telemetry.asked", retries=(0.2, 0.4))
placid = Consumer("telemetry.placid", ordered=True, retries=(0.05,))
tried: dict[str, int] = {}


@consumer.handles(Asked)
def do(event: Event[Asked]) -> None:
    tried[event.data.text] = tried.get(event.data.text, 0) + 1
    if event.data.reject:
        raise Reject("as it was told")
    if tried[event.data.text] <= event.data.fail:
        raise ValueError("as it was told")
    if event.data.emits:
        emit(Whoever())
    Note.objects.create(text=event.data.text)


@placid.handles("telemetry.asked.*")
def nothing(event: Event[dict[str, Any]]) -> None: ...
