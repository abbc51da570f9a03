"""The machine: whatever can happen to events, in any order, and the books after every step."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventbridge import Event, emit
from eventbridge.models import DeadLetter, OutboxEntry
from eventbridge.wire import encode
from tests.model.cast import MOODS, Late, Optional, Refused, Told
from tests.model.fate import RELAY, REPLAYING, SITE, TAKING, WORKING, Blow, Fate, Place
from tests.model.link import FAULTS
from tests.model.sides import Embedded, Rabbit, Side
from tests.model.world import PROCESSES, RELAYS, World


def blows(places: dict[str, Place], *hows: str) -> st.SearchStrategy[Blow | None]:
    """Nothing happens, more often than not; or a death, a cut or whatever else, somewhere."""
    how = st.sampled_from(("dies", "breaks", *hows))
    blow = st.builds(Blow, st.sampled_from(sorted(places)), how, st.sampled_from((1, 1, 1, 2, 3)))
    return st.none() | st.none() | blow


keys = st.integers(0, 1)
said = st.one_of(
    st.builds(Told, key=keys),
    st.builds(Told, key=keys),
    st.builds(Told, key=keys, destiny=st.sampled_from(("cursed", "killer"))),
    st.sampled_from((Late(key=0), Optional(key=0), Refused(key=0))),
)
consumers = st.integers(0, len(PROCESSES) - 1)
relays = st.sampled_from((0, 0, 0, *range(1, RELAYS)))
faults = st.lists(st.sampled_from(FAULTS), max_size=4)
moods = st.lists(st.sampled_from(MOODS), max_size=3)


class Model(RuleBasedStateMachine):
    """A site, relays, consumers, time, and no mercy. Subclasses say which broker."""

    make_side: ClassVar[type[Side]]
    fate: ClassVar[Fate]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.make_side, self.fate)

    # --- the site ---

    @rule(said=st.lists(said, min_size=1, max_size=3), undone=st.lists(said, max_size=1), blow=blows(SITE))
    def commits(self, said: list[Any], undone: list[Any], blow: Blow | None) -> None:
        """A transaction, in which a savepoint is rolled back."""
        events: list[Event[Any]] = []
        with self.world.struck_by(blow), transaction.atomic():
            events += [emit(data) for data in said]
            self.rolls_back(undone)
        if self.fate.fallen is None or self.fate.fallen.place == "committed":
            for event in events:
                self.world.books.commit(event)

    @rule(said=st.lists(said, max_size=2))
    def rolls_back(self, said: list[Any]) -> None:
        with transaction.atomic():
            for data in said:
                emit(data)
            transaction.set_rollback(True)

    # --- the relays ---

    @precondition(lambda self: self.world.books.found.outbox)
    @rule(number=relays, faults=faults, blow=blows(RELAY, "is overtaken"))
    def relays_a_batch(self, number: int, faults: list[str], blow: Blow | None) -> None:
        self.world.poll(number, faults, blow)

    @rule(number=relays)
    def stops_a_relay(self, number: int) -> None:
        self.world.relays[number].close(0.1)
        self.world.kill_relay(number)

    # --- the consumers ---

    @precondition(lambda self: self.world.books.found.present)
    @rule(number=consumers, blow=blows(TAKING))
    def takes(self, number: int, blow: Blow | None) -> None:
        with self.world.struck_by(blow, number):
            self.world.consumers[number].take()

    @precondition(lambda self: any(letter.replay_at for letter in self.world.books.found.letters.values()))
    @rule(number=consumers, blow=blows(REPLAYING))
    def takes_replays(self, number: int, blow: Blow | None) -> None:
        with self.world.struck_by(blow, number):
            self.world.consumers[number].take_replays()

    @precondition(lambda self: self.world.busy)
    @rule(number=consumers, faults=faults, moods=moods, blow=blows(WORKING), told=st.booleans())
    def works(self, number: int, faults: list[str], moods: list[str], blow: Blow | None, told: bool) -> None:
        """Handle what is in hand; where that has to wait, it is told to stop meanwhile, or given what it waits for."""
        busy = self.world.busy
        self.world.work(busy[number % len(busy)], 99, faults, moods, blow, told=told)

    @rule(number=consumers, how=st.sampled_from(("is killed", "stops", "loses its link")))
    def goes(self, number: int, how: str) -> None:
        if how == "stops":
            self.world.stop(number)
        elif how == "is killed":
            self.world.kill(number)
        else:
            self.world.consumers[number].lose_link()

    @precondition(lambda self: self.world.books.found.present)
    @rule(number=st.integers(0, 20))
    def duplicates(self, number: int) -> None:
        self.world.side.duplicate(number)

    # --- the operator ---

    @precondition(lambda self: self.world.books.found.letters)
    @rule(number=st.integers(0, 5))
    def replays_a_dead_letter(self, number: int) -> None:
        letters = list(DeadLetter.objects.resting().order_by("pk"))
        if letters:
            self.world.replay(letters[number % len(letters)])

    @rule(bind=st.booleans())
    def retries_what_is_parked(self, bind: bool) -> None:
        if bind:
            self.world.side.bind_late()
        OutboxEntry.objects.all().retry()

    # --- time ---

    @rule(what=st.sampled_from(("the rungs", "the relay's lease", "what the dead hold", "whatever anybody holds")))
    def runs_out(self, what: str) -> None:
        if what == "the rungs":
            self.world.end_rungs()
        elif what == "the relay's lease":
            self.world.end_relays_lease()
        else:
            self.world.end_consumers_leases(asleep=what == "whatever anybody holds")

    # --- what must hold ---

    @invariant()
    def the_books_are_right(self) -> None:
        self.world.books.check()

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:  # else that is what is to be told
            self.world.end()


class OnTheEmbeddedBroker(Model):
    """Its broker is tables; the fates of its statements are its faults."""

    make_side = Embedded


class OnABrokerLikeRabbitMQ(Model):
    """Its broker does what AMQP allows."""

    make_side = Rabbit

    @rule(
        attempt=st.sampled_from((0, -7, 2.5, True, "12", 1)),
        deaths=st.integers(1, 99),
        destiny=st.sampled_from(("good", "cursed")),
    )
    def hears_somebody_else(self, attempt: object, deaths: int, destiny: str) -> None:
        """An event of another service, whose headers are a lie."""
        event = Event.about(Told(key=7, destiny=destiny), source="/elsewhere")
        headers = {"eventbridge-attempt": attempt, "x-death": [{"queue": "x", "reason": "expired", "count": deaths}]}
        self.world.side.forge(encode(event), event.id, headers)  # type: ignore[attr-defined]
        self.world.books.commit(event)
