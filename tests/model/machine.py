"""The machine: whatever can happen to events, in any order, and the books after every step."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from eventbridge import Event, emit, emit_many
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
said = st.lists(
    st.one_of(
        st.builds(Told, key=keys),
        st.builds(Told, key=keys),
        st.builds(Told, key=keys, destiny=st.sampled_from(("cursed", "killer"))),
        st.just(Late(key=0)),
        st.sampled_from((Optional(key=0), Refused(key=0))),
    ),
    max_size=3,
)
consumers = st.integers(0, len(PROCESSES) - 1)
relays = st.sampled_from((0, 0, 0, *range(1, RELAYS)))
faults = st.lists(st.sampled_from(FAULTS), max_size=4)
moods = st.lists(st.sampled_from(MOODS), max_size=3)


class Turn(Protocol):
    """Something that somebody does, and what happens to him on the way."""

    def play(self, world: World) -> None: ...


@dataclass(frozen=True)
class Commits:
    """A transaction, in which a savepoint is rolled back."""

    said: list[Any]
    undone: list[Any]
    blow: Blow | None

    def play(self, world: World) -> None:
        events: list[Event[Any]] = []
        with world.struck_by(self.blow), transaction.atomic():
            events += [emit(data) for data in self.said]
            with transaction.atomic():
                emit_many(self.undone)
                transaction.set_rollback(True)
        if world.fate.fallen is None or world.fate.fallen.place == "committed":
            for event in events:
                world.books.commit(event)


@dataclass(frozen=True)
class Relays:
    number: int
    faults: list[str]
    blow: Blow | None

    def play(self, world: World) -> None:
        world.poll(self.number, self.faults, self.blow)


@dataclass(frozen=True)
class Takes:
    number: int
    blow: Blow | None

    def play(self, world: World) -> None:
        with world.struck_by(self.blow, self.number):
            world.consumers[self.number].take()


@dataclass(frozen=True)
class Works:
    """Handle what is in hand; where that has to wait, it is ``told`` to stop meanwhile, or given what it waits for."""

    number: int
    faults: list[str]
    moods: list[str]
    blow: Blow | None
    told: bool

    def play(self, world: World) -> None:
        if busy := world.busy:
            number = busy[self.number % len(busy)]
            world.work(number, 99, self.faults, self.moods, self.blow, told=self.told)


commits = st.builds(Commits, said, st.just([]) | said, blows(SITE))
polls = st.builds(Relays, relays, faults, blows(RELAY, "is overtaken"))
takes = st.builds(Takes, consumers, blows(TAKING))
works = st.builds(Works, consumers, faults, moods, blows(WORKING), st.booleans())


class Model(RuleBasedStateMachine):
    """A site, relays, consumers, time, and no mercy. Subclasses say which broker."""

    make_side: ClassVar[type[Side]]
    fate: ClassVar[Fate]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.make_side, self.fate)

    @initialize(first=commits, turns=st.lists(commits | polls | takes | works, min_size=8, max_size=30))
    def begins(self, first: Turn, turns: list[Turn]) -> None:
        """Hypothesis leaves out rules at random: so that something happens in every history."""
        for turn in [first, *turns]:
            turn.play(self.world)
            self.world.books.check()

    # --- events go their way ---

    @rule(turn=commits)
    def site(self, turn: Turn) -> None:
        turn.play(self.world)

    @precondition(lambda self: self.world.books.found.outbox)
    @rule(turn=polls)
    def relay(self, turn: Turn) -> None:
        turn.play(self.world)

    @precondition(lambda self: self.world.books.found.present)
    @rule(turn=takes)
    def consumer_takes(self, turn: Turn) -> None:
        turn.play(self.world)

    @precondition(lambda self: self.world.busy)
    @rule(turn=works)
    def consumer_works(self, turn: Turn) -> None:
        turn.play(self.world)

    # --- and are disturbed ---

    @rule(number=relays)
    def stops_a_relay(self, number: int) -> None:
        self.world.relays[number].close(0.1)
        self.world.kill_relay(number)

    @precondition(lambda self: any(letter.replay_at for letter in self.world.books.found.letters.values()))
    @rule(number=consumers, blow=blows(REPLAYING))
    def takes_replays(self, number: int, blow: Blow | None) -> None:
        with self.world.struck_by(blow, number):
            self.world.consumers[number].take_replays()

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
