"""The machine: whatever can happen to events, in any order, and the books after every step."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eventbridge import Event, emit
from eventbridge.models import DeadLetter, OutboxEntry
from eventbridge.wire import encode
from tests.model.cast import MOODS, Late, Optional, Refused, Told
from tests.model.fate import CONSUMER, RELAY, SITE, Blow, Fate, Place
from tests.model.link import FAULTS
from tests.model.sides import Embedded, Rabbit, Side
from tests.model.world import PROCESSES, RELAYS, World


def blows(places: dict[str, Place], *hows: str) -> st.SearchStrategy[Blow | None]:
    """Nothing happens, more often than not; or a death, a cut or whatever else, somewhere."""
    how = st.sampled_from(("dies", "breaks", *hows))
    blow = st.builds(Blow, st.sampled_from(sorted(places)), how, st.integers(1, 3))
    return st.none() | st.none() | blow


keys = st.integers(0, 1)
said = st.one_of(
    st.builds(Told, key=keys),
    st.builds(Told, key=keys),
    st.builds(Told, key=keys, destiny=st.sampled_from(("cursed", "killer"))),
    st.sampled_from((Late(key=0), Optional(key=0), Refused(key=0))),
)
consumers = st.integers(0, len(PROCESSES) - 1)
relays = st.integers(0, RELAYS - 1)
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

    @rule(number=relays, faults=faults, blow=blows(RELAY, "is overtaken"))
    def relays_a_batch(self, number: int, faults: list[str], blow: Blow | None) -> None:
        self.world.poll(number, faults, blow)

    @rule(number=relays)
    def stops_a_relay(self, number: int) -> None:
        self.world.relays[number].close(0.1)
        self.world.kill_relay(number)

    @rule(noticed=st.booleans())
    def lets_the_relays_lease_run_out(self, noticed: bool) -> None:
        self.world.end_relays_lease(noticed=noticed)

    @rule()
    def retries_what_is_parked(self) -> None:
        OutboxEntry.objects.all().retry()

    @rule()
    def binds_the_late_queue(self) -> None:
        self.world.side.bind_late()

    # --- the consumers ---

    @rule(number=consumers, blow=blows(CONSUMER))
    def takes(self, number: int, blow: Blow | None) -> None:
        with self.world.struck_by(blow, number):
            self.world.consumers[number].take()

    @rule(number=consumers, blow=blows(CONSUMER))
    def takes_replays(self, number: int, blow: Blow | None) -> None:
        with self.world.struck_by(blow, number):
            self.world.consumers[number].take_replays()

    @rule(number=consumers, faults=faults, moods=moods, blow=blows(CONSUMER), told=st.booleans())
    def works(self, number: int, faults: list[str], moods: list[str], blow: Blow | None, told: bool) -> None:
        """Handle what is in hand; where that has to wait, it is told to stop meanwhile, or given what it waits for."""
        self.world.consumers[number].stopping.told_while_it_waits = told
        self.world.work(number, 99, faults, moods, blow)

    @rule(number=consumers)
    def stops(self, number: int) -> None:
        self.world.stop(number)

    @rule(number=consumers)
    def is_killed(self, number: int) -> None:
        self.world.kill(number)

    @rule(number=consumers)
    def loses_its_link(self, number: int) -> None:
        self.world.consumers[number].lose_link()

    @rule(number=st.integers(0, 20))
    def duplicates(self, number: int) -> None:
        self.world.side.duplicate(number)

    @rule(number=st.integers(0, 5))
    def replays_a_dead_letter(self, number: int) -> None:
        letters = list(DeadLetter.objects.resting().order_by("pk"))
        if letters:
            self.world.replay(letters[number % len(letters)])

    # --- time ---

    @rule()
    def lets_the_rungs_run_out(self) -> None:
        self.world.end_rungs()

    @rule(asleep=st.booleans())
    def lets_the_consumers_leases_run_out(self, asleep: bool) -> None:
        self.world.end_consumers_leases(asleep=asleep)

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
