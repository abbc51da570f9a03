"""A consumer of each kind. They do their work first, and misbehave then: what they did must be undone."""

from eventbridge import Event
from tests.chaos.contracts import Happened
from tests.chaos.misdeeds import misbehave
from tests.chaos.notes import note

RETRIES = (0.3, 0.6, 1.2)
TIMEOUT = 3.0


def take_effect(event: Event[Happened], consumer: str) -> None:
    """Leave a row, in the handler's transaction."""
    from tests.chaos.models import Effect

    note("begun", f"{consumer} {event.id}")
    Effect.objects.create(consumer=consumer, event_id=event.id, key=event.data.key, n=event.data.n)
    misbehave(event, consumer)
