"""The events of the model, its consumers, and what their handlers do."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eventbridge import Consumer, Event, Reject, Retry, event_type
from eventbridge.topology import Topology, topology_of
from tests.model.fate import Died
from tests.model.link import REFUSED
from tests.shop.models import Note

LATE = "model.late.v1"


@event_type("model.told.v1", key="key")
class Told:
    """Wanted by all consumers. Some are cursed: they fail whenever they are handled; some kill whoever handles them."""

    key: int
    destiny: str = "good"


@event_type(LATE, key="key")
class Late:
    """Its only queue is bound late: before that it is unroutable, and parked."""

    key: int
    destiny: str = "good"


@event_type("model.optional.v1", mandatory=False)
class Optional:
    """Nobody wants it, which is fine."""

    key: int


@event_type(REFUSED)
class Refused:
    """No broker takes it."""

    key: int


books = Consumer("model.books", batch=2, retries=(60, 600))
mail = Consumer("model.mail", atomic=False, retries=(60,))
CONSUMERS = {consumer.name: consumer for consumer in (books, mail)}
WANTED = {Told: (books.name, mail.name), Late: (books.name,), Optional: (), Refused: ()}

Pair = tuple[str, str]
"""A consumer's name and an event's id."""


@dataclass
class Stage:
    """What was played: every run of a handler, and how it ended. ``moods``: how the next ones will end."""

    moods: deque[str] = field(default_factory=deque)
    running: Pair | None = None
    failed: Counter[Pair] = field(default_factory=Counter)
    finished: Counter[Pair] = field(default_factory=Counter)
    deaths: Counter[Pair] = field(default_factory=Counter)
    """Processes that died while they handled it."""

    _moods_now: dict[Pair, str] = field(default_factory=dict)

    def another_work(self, moods: Sequence[str]) -> None:
        """Whoever is handled twice in it, in a batch and by itself, is in the same mood, and charged once."""
        self.moods = deque(moods)
        self._moods_now = {}

    def nobody_runs(self) -> None:
        self.running = None

    def play(self, consumer: str, event: Event[Any]) -> None:
        self.running = pair = consumer, event.id
        Note.objects.create(text=" ".join(pair))
        again = pair in self._moods_now
        mood = self._moods_now.setdefault(pair, self.moods.popleft() if self.moods and not again else "succeeds")
        mood = {"cursed": "fails", "killer": "dies"}.get(event.data.destiny, mood)
        if mood == "dies":
            raise Died
        if mood != "succeeds" and not again:
            self.failed[pair] += 1
        error = {"fails": ValueError("no luck"), "rejects": Reject("never"), "exits": SystemExit(1)}.get(mood)
        if mood == "asks for a retry":
            error = Retry(after=1)
        if error:
            raise error
        self.finished[pair] += 1


MOODS = ("succeeds", "fails", "rejects", "asks for a retry", "exits", "dies")
stage = Stage()


def begin() -> Stage:
    """An empty stage, for another history."""
    stage.__init__()  # type: ignore[misc]
    return stage


for _consumer in CONSUMERS.values():
    for _type in (Told, Late) if _consumer is books else (Told,):

        def _handler(event: Event[Any], name: str = _consumer.name) -> None:
            stage.play(name, event)

        _consumer.handles(_type)(_handler)


def topology() -> Topology:
    return topology_of(CONSUMERS.values())


def without_the_late(whole: Topology) -> Topology:
    """Before somebody binds the queue that late events want."""
    bindings = tuple(binding for binding in whole.bindings if binding.key != LATE)
    return Topology(whole.exchanges, whole.queues, bindings)
