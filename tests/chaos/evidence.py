"""Collects a run's history: from the database, the broker and the notes."""

from django.db import connection

from tests.chaos.history import Committed, Dead, Effect, History, Run
from tests.chaos.misdeeds import CONSUMERS
from tests.chaos.notes import notes
from tests.chaos.world import World

OUTSIDE = "chaos.outside"
ORDERED = "chaos.ordered"


def history(world: World) -> History:
    """What is known now."""
    try:
        return History(
            consumers=CONSUMERS,
            exactly_once=[name for name in CONSUMERS if name != OUTSIDE],
            ordered=[ORDERED],
            attempts=_attempts(),
            committed=_committed(),
            attempted=set(notes("attempted")),
            effects=_effects(),
            dead=_dead(),
            runs=_runs(),
            misdeeds=[(does, process) for does, process in map(str.split, notes("misdeeds"))],
            nacked=set(notes("nacked")),
            parked=_parked(),
            left=_left(world),
        )
    finally:
        connection.close()


def busy() -> set[str]:
    """The consumers that have done something."""
    try:
        return {effect.consumer for effect in _effects()}
    finally:
        connection.close()


def _committed() -> list[Committed]:
    from tests.chaos.models import Ledger

    return [Committed(*row) for row in Ledger.objects.order_by("id").values_list("event_id", "key", "n", "does", "to")]


def _effects() -> list[Effect]:
    from tests.chaos.models import Effect as Row

    inside = [Effect(*row) for row in Row.objects.order_by("id").values_list("consumer", "event_id", "key", "n")]
    return inside + [Effect(OUTSIDE, event) for event in notes("outside")]


def _dead() -> list[Dead]:
    from eventbridge.models import DeadLetter

    rows = DeadLetter.objects.order_by("id").values_list("consumer", "event_id", "reason", "attempts")
    return [Dead(*row) for row in rows]


def _attempts() -> dict[str, int]:
    from django.conf import settings

    from eventbridge.consumer import consumers_in

    return {consumer.name: len(consumer.retries) + 1 for consumer in consumers_in(settings.CONSUMERS)}


def _runs() -> list[Run]:
    over = {run: float(when) for run, _, when in (line.rpartition(" ") for line in notes("over"))}
    return [_run(line, over.get(line)) for line in notes("begun")]


def _run(line: str, over: float | None) -> Run:
    consumer, event, process, began = line.split()
    return Run(consumer, event, process, float(began), over)


def _parked() -> dict[str, str]:
    from eventbridge.models import OutboxEntry

    return dict(OutboxEntry.objects.parked().values_list("event_id", "parked_reason"))


def _left(world: World) -> dict[str, int]:
    from eventbridge.models import OutboxEntry

    return {"outbox": OutboxEntry.objects.filter(parked_at=None).count(), **_queues(world)}


def _queues(world: World) -> dict[str, int]:
    """What each queue still holds: the consumers', the ladder's, and that of what was lost."""
    from django.conf import settings

    from eventbridge.consumer import consumers_in
    from eventbridge.models import BrokerMessage
    from eventbridge.topology import topology_of

    names = [queue.name for queue in topology_of(consumers_in(settings.CONSUMERS)).queues]
    if world.vhost:
        return {name: world.vhost.depth(name) for name in names}
    return {name: BrokerMessage.objects.filter(queue=name).count() for name in names}
