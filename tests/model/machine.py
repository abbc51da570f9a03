"""The machine: whatever can happen to events, in any order, and the books after every step."""

from __future__ import annotations

import sys
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from eventbridge import Event
from eventbridge.wire import encode
from tests.model.cast import MOODS, Late, Optional, Refused, Told
from tests.model.fate import Blow, Fate
from tests.model.link import FAULTS
from tests.model.sides import Embedded, Rabbit, Side
from tests.model.turns import (
    Commits,
    Duplicates,
    Goes,
    Relays,
    RelayStops,
    RetriesParked,
    RunsOut,
    Takes,
    TakesReplays,
    Turn,
    Works,
)  # fmt: skip
from tests.model.world import PROCESSES, RELAYS, World


def blows(share: int, steps: int, *hows: str) -> st.SearchStrategy[Blow | None]:
    """Nothing happens; or, one time in ``share``, a death, a cut or whatever else, at one of so many steps."""
    blow = st.builds(Blow, st.sampled_from(("dies", "breaks", *hows)), st.sampled_from(range(1, steps + 1)))
    # Not one_of(none(), none(), blow): it counts what is the same once.
    return st.integers(1, share).flatmap(lambda n: blow if n == share else st.none())


keys = st.integers(0, 1)
said = st.lists(
    st.one_of(
        st.builds(Told, key=keys),
        st.builds(Told, key=keys),
        st.builds(Told, key=keys, destiny=st.sampled_from(("cursed", "killer"))),
        st.sampled_from((Late(key=0), Optional(key=0), Refused(key=0))),
    ),
    min_size=1,
    max_size=3,
)
consumers = st.integers(0, len(PROCESSES) - 1)
relays = st.sampled_from((0, 0, 0, *range(1, RELAYS)))
mostly = st.sampled_from((True, True, False))
faults = st.just([]) | st.lists(st.sampled_from(FAULTS), min_size=2, max_size=4)
moods = st.just([]) | st.lists(st.sampled_from(MOODS), min_size=1, max_size=3)

commits = st.builds(Commits, said, st.just([]) | said, blows(6, 5))
polls = st.builds(Relays, relays, faults, blows(3, 9, "is overtaken"), mostly)
takes = st.builds(Takes, consumers, blows(5, 4), mostly)
works = st.builds(Works, consumers, faults, moods, blows(2, 6), st.booleans())
replays = st.builds(TakesReplays, consumers, st.integers(0, 5), blows(4, 2))
goes = st.builds(Goes, consumers, st.sampled_from(("is killed", "stops", "stops", "loses its link")))
disturbances = st.one_of(
    st.builds(RunsOut, st.sampled_from(("the rungs", "the rungs", "whatever anybody holds"))),
    replays,
    goes,
    st.builds(RelayStops, relays),
    st.builds(Duplicates, st.integers(0, 20)),
    st.builds(RetriesParked, st.booleans()),
)
ends = st.integers(0, 3).flatmap(lambda n: goes if n == 3 else works)
journeys = st.tuples(commits, polls, takes, ends, disturbances, takes | replays, ends)
"""What takes an event to its end, if nothing comes between."""


class Model(RuleBasedStateMachine):
    """A site, relays, consumers, time, and no mercy. Subclasses say which broker."""

    make_side: ClassVar[type[Side]]
    fate: ClassVar[Fate]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.make_side, self.fate)

    @initialize(journeys=st.lists(journeys, min_size=2, max_size=5))
    def begins(self, journeys: list[tuple[Turn, ...]]) -> None:
        """Turns at random hardly ever meet an event: so that something happens in every history."""
        self.play(journeys)

    def play(self, journeys: list[tuple[Turn, ...]]) -> None:
        for journey in journeys:
            for turn in journey:
                turn.play(self.world)
                self.world.books.check()

    @rule(turn=commits | polls)
    def on_its_way(self, turn: Turn) -> None:
        turn.play(self.world)

    @rule(turn=takes | works | replays)
    def arrives(self, turn: Turn) -> None:
        turn.play(self.world)

    @rule(turn=disturbances)
    def is_disturbed(self, turn: Turn) -> None:
        turn.play(self.world)

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
