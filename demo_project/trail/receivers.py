"""What eventbridge says of an event, as steps. The first is part of the transaction that records the event."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from eventbridge import Consumer, Event
from eventbridge.models import DeadLetter
from eventbridge.models.outbox import PendingEntry
from eventbridge.telemetry import died, emitted, handled, relayed, retried
from eventbridge.transports import Message

from .models import Step


def was_recorded(sender: Any, events: Sequence[Event[Any]], using: str, **kwargs: Any) -> None:
    """Events are in the outbox; if their transaction rolls back, neither they nor these steps remain."""
    Step.objects.using(using).bulk_create(
        Step(
            event_id=event.id,
            type=event.type,
            subject=event.subject or "",
            what=Step.What.RECORDED,
            at=event.time or timezone.now(),
        )
        for event in events
    )


def was_relayed(sender: Any, entries: Sequence[PendingEntry], **kwargs: Any) -> None:
    """The broker has confirmed them."""
    now = timezone.now()
    Step.objects.bulk_create(
        Step(event_id=entry.event_id, type=entry.type, what=Step.What.RELAYED, at=now) for entry in entries
    )


def was_handled(sender: Any, consumer: Consumer, event: Event[Any], attempt: int, **kwargs: Any) -> None:
    """A handler did its work."""
    _write(event.id, event.type, Step.What.HANDLED, consumer.name, f"attempt {attempt}")


def has_failed(
    sender: Any, consumer: Consumer, message: Message, attempt: int, after: float, error: Any, **kwargs: Any
) -> None:
    """A handler failed and will be asked again."""
    note = f"attempt {attempt}: {error}; next in {after:g} s"
    _write(message.id, message.type, Step.What.FAILED, consumer.name, note)


def has_died(sender: Any, consumer: Consumer, letter: DeadLetter, **kwargs: Any) -> None:
    """A consumer gave up."""
    note = f"attempt {letter.attempts}: {letter.error}"
    _write(letter.event_id, letter.type, Step.What.DEAD, consumer.name, note)


RECEIVERS = (
    (emitted, was_recorded),
    (relayed, was_relayed),
    (handled, was_handled),
    (retried, has_failed),
    (died, has_died),
)


def connect() -> None:
    """Write the trail from now on."""
    for signal, receiver in RECEIVERS:
        signal.connect(receiver)


def disconnect() -> None:
    """Write it no more."""
    for signal, receiver in RECEIVERS:
        signal.disconnect(receiver)


def _write(event_id: str, event_type: str, what: Step.What, who: str, note: str) -> None:
    Step.objects.create(event_id=event_id, type=event_type, what=what, who=who, note=note, at=timezone.now())
