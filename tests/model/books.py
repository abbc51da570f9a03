"""The books: what was committed, where it must be found, and what may never be found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from eventbridge import Event
from eventbridge.models import DeadLetter, InboxEntry, OutboxEntry
from tests.model import cast
from tests.model.cast import CONSUMERS, Pair, Stage
from tests.model.fate import Fate
from tests.model.sides import Present, Side
from tests.shop.models import Note

REASONS = {"good": "", "cursed": "failed", "killer": "crashed"}
"""How an event ends as a dead letter, by its destiny."""

_OF_A_LETTER = ("consumer", "event_id", "reason", "attempts", "replay_attempt", "replay_at")


@dataclass(frozen=True)
class Entry:
    """A committed event."""

    kind: type
    key: int
    destiny: str
    place: int
    """In the order of emitting."""

    @property
    def is_never_parked(self) -> bool:
        return self.kind in (cast.Told, cast.Optional)

    @property
    def wanted(self) -> tuple[str, ...]:
        return cast.WANTED[self.kind]


@dataclass
class Books:
    """What is known from outside of eventbridge, and compared with what is inside after every step."""

    side: Side
    stage: Stage
    committed: dict[str, Entry] = field(default_factory=dict)
    strays: set[str] = field(default_factory=set)
    """What was ever parked or nacked has left the order."""
    arrivals: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    """How often it could not be known whether an event had been published: it may be published once more for each."""
    breaks: Counter[Pair] = field(default_factory=Counter)
    replays: dict[Pair, int] = field(default_factory=dict)
    """How often it had failed when it was last marked for replay."""
    found: Found = field(init=False)
    _last: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.found = Found.now(self.side)

    def commit(self, event: Event[Any]) -> None:
        data, place = event.data, len(self.committed)
        self.committed[event.id] = Entry(type(data), data.key, getattr(data, "destiny", "good"), place)

    def relayed(self, fate: Fate) -> None:
        """A relay has had its turn, with that fate on the way."""
        new, left = self.side.arrivals(), outbox()
        self.strays |= self.side.nacked() | {event_id for event_id, parked in left.items() if parked}
        for event_id in new:
            self._arrive(event_id)
        unheard = self.side.in_doubt()
        if fate.fallen is None or fate.broke_a_link:  # whatever was heard before must not have been forgotten
            self.doubts.update(unheard)
        else:
            self.doubts.update(i for i in new if i in left or fate.fallen.how == "is overtaken")

    def _arrive(self, event_id: str) -> None:
        assert event_id in self.committed, "a ghost was published"
        entry = self.committed[event_id]
        # A late event was returned at first, although a relay may have died before it could park it.
        if entry.kind is cast.Told and not self.arrivals[event_id] and event_id not in self.strays:
            assert entry.place > self._last.get(entry.key, -1), "an event overtook another one of its key"
            self._last[entry.key] = entry.place
        self.arrivals[event_id] += 1

    # --- what holds after every step -------------------------------------------------------------

    def check(self) -> None:
        self.found = found = Found.now(self.side)
        self._there_are_no_ghosts(found)
        self._nothing_is_lost(found)
        self._effects_are_those_of_the_inbox(found)
        self._nobody_is_overcharged(found)
        self._nothing_is_published_again_without_a_doubt()

    def _there_are_no_ghosts(self, found: Found) -> None:
        known = {event_id for _, event_id in found.places} | set(found.outbox)
        assert known <= set(self.committed), "a ghost"

    def _nothing_is_lost(self, found: Found) -> None:
        for event_id, entry in self.committed.items():
            if entry.kind is cast.Refused:
                assert event_id in found.outbox, "a refused event is lost"
            if event_id not in found.outbox:
                missing = {(name, event_id) for name in entry.wanted} - found.places
                assert not missing, f"lost: {missing}"
            assert not (found.outbox.get(event_id) and entry.is_never_parked), "parked without a reason"

    def _effects_are_those_of_the_inbox(self, found: Found) -> None:
        """Exactly one for each handled event of an atomic consumer; the other's can be repeated by a death alone."""
        atomic = [name for name, consumer in CONSUMERS.items() if consumer.atomic]
        effects = {pair: times for pair, times in found.notes.items() if pair[0] in atomic}
        assert effects == dict.fromkeys((pair for pair in found.handled if pair[0] in atomic), 1)
        for pair, times in self.stage.finished.items():
            if pair[0] not in atomic:
                assert times <= 1 + self.stage.deaths[pair] + self.breaks[pair], f"{pair} was done again"
        assert all(self.stage.finished[pair] for pair in found.handled), "in the inbox, but never done"

    def _nobody_is_overcharged(self, found: Found) -> None:
        """An attempt is a handler that failed, or that its process died in; nothing else is."""
        failed = self.stage.failed
        for queue, event_id, attempt in found.present:
            assert attempt - 1 <= failed[queue, event_id], f"{event_id} was charged attempts that it did not have"
        for pair, letter in found.letters.items():
            had = failed[pair] + self.stage.deaths[pair]
            assert letter.attempts <= had, f"{pair} is dead before its time"
            assert letter.reason == "rejected" or letter.attempts > len(CONSUMERS[pair[0]].retries), (
                f"{pair} died early"
            )
            since = failed[pair] - self.replays.get(pair, 0)
            assert letter.replay_attempt <= since, f"the replay of {pair} was overcharged"

    def _nothing_is_published_again_without_a_doubt(self) -> None:
        for event_id, times in self.arrivals.items():
            assert times <= 1 + self.doubts[event_id], f"{event_id} was published {times} times"

    # --- what holds in the end -------------------------------------------------------------------

    def balance(self) -> None:
        """Everything was healed and drained: every event is where its destiny is."""
        self.check()
        found = self.found
        refused = {event_id for event_id, entry in self.committed.items() if entry.kind is cast.Refused}
        assert set(found.outbox) == refused, "the outbox is not drained"
        assert found.present == [], "the broker is not drained"
        for event_id, entry in self.committed.items():
            for pair in [(name, event_id) for name in entry.wanted]:
                reason = found.letters[pair].reason if pair in found.letters else ""
                assert reason == REASONS[entry.destiny], f"{pair} should have ended otherwise than {reason!r}"
                assert (pair in found.handled) == (entry.destiny == "good"), f"{pair} was not handled, or was"


@dataclass(frozen=True)
class Found:
    """What is where."""

    outbox: dict[str, bool]
    """The ids of the events that are not confirmed yet, and whether they are parked."""
    present: list[Present]
    handled: set[Pair]
    letters: dict[Pair, DeadLetter]
    notes: Counter[Pair]

    @classmethod
    def now(cls, side: Side) -> Found:
        letters = DeadLetter.objects.only(*_OF_A_LETTER)
        handled = InboxEntry.objects.filter(handled_at__isnull=False)
        notes = Note.objects.values_list("text", flat=True)
        return cls(
            outbox=outbox(),
            present=side.present(),
            handled=set(handled.values_list("consumer", "event_id")),
            letters={(letter.consumer, letter.event_id): letter for letter in letters.order_by()},
            notes=Counter((consumer, event_id) for consumer, event_id in map(str.split, notes)),
        )

    @property
    def places(self) -> set[Pair]:
        """Whatever is on its way to a consumer, was handled by it, or is dead."""
        return {(queue, event_id) for queue, event_id, _ in self.present} | self.handled | set(self.letters)


def outbox() -> dict[str, bool]:
    return {i: parked is not None for i, parked in OutboxEntry.objects.values_list("event_id", "parked_at")}
