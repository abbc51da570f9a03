"""A consumer of each kind. What they do is written down with the digest of the message that made them do it."""

from typing import Any

from eventbridge import Consumer, Event, Reject, Retry
from tests.fuzz.contracts import CONSUMERS, PAID, untyped
from tests.fuzz.witness import in_hand

RETRIES = (0.2, 0.5)
single = Consumer("fuzz.single", concurrency=2, retries=RETRIES)
batch = Consumer("fuzz.batch", batch=20, retries=RETRIES)
ordered = Consumer("fuzz.ordered", ordered=True, retries=(0.01,))
outside = Consumer("fuzz.outside", atomic=False, concurrency=2, retries=RETRIES, redact=("email",))

ALL = dict(zip(CONSUMERS, (single, batch, ordered, outside), strict=True))


def take_effect(event: Event[Any], consumer: str) -> None:
    """Do as the event says; what it says about itself goes into the database, as it came."""
    from tests.fuzz.models import Effect

    said = _said(event.data)
    match said.get("does"):
        case "fail":
            raise ValueError(f"as it was told: {said.get('email')!s:.200}\x00\ud800")
        case "retry":
            raise Retry(after=0.3)
        case "reject":
            raise Reject(f"\x00 {said.get('email')!s:.200}")
    note = str(said.get("email"))[:100]
    Effect.objects.create(
        consumer=consumer, source=event.source, event_id=event.id, digest=in_hand(), note=note, at=event.time
    )


def _said(data: Any) -> dict[str, Any]:
    if isinstance(data, tuple(PAID.values())):
        return {"does": data.does, "email": data.email}
    return data if isinstance(data, dict) else {"email": data}


def _declare(consumer: Consumer) -> None:
    def handle(event: Event[Any]) -> None:
        take_effect(event, consumer.name)

    consumer.handles(PAID[consumer.name])(handle)
    consumer.handles(untyped(consumer.name))(handle)


for _consumer in ALL.values():
    _declare(_consumer)
