"""A consumer of each kind, and one that fails: exceptions hold frames, frames hold whatever there is."""

import random

from eventbridge import Consumer, Event
from tests.soak.contracts import Happened

steady = Consumer("soak.steady", concurrency=4)
batch = Consumer("soak.batch", batch=50)
outside = Consumer("soak.outside", atomic=False, concurrency=2)
failing = Consumer("soak.failing", concurrency=2, retries=(1, 2))
NAMES = (steady.name, batch.name, outside.name, failing.name)

_FAILS_AT_TIMES = 20
_ALWAYS_FAILS = 200
_HALF = 0.5


def _take_effect(event: Event[Happened], consumer: Consumer) -> None:
    from tests.soak.models import Effect

    Effect.objects.create(consumer=consumer.name, event_id=event.id)


@steady.handles(Happened)
def take_effect(event: Event[Happened]) -> None:
    _take_effect(event, steady)


@batch.handles(Happened)
def take_effect_with_others(event: Event[Happened]) -> None:
    _take_effect(event, batch)


@outside.handles(Happened)
def take_effect_outside(event: Event[Happened]) -> None:
    _take_effect(event, outside)


@failing.handles(Happened)
def take_effect_or_fail(event: Event[Happened]) -> None:
    """Most at once, some by a later attempt, few never."""
    _take_effect(event, failing)
    if event.data.n % _ALWAYS_FAILS == 0:
        raise ValueError("it never works")
    if event.data.n % _FAILS_AT_TIMES == 0 and random.random() < _HALF:
        raise ValueError("not yet")
