"""What somebody does, or what happens, in a history: one turn after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from django.db import transaction

from eventbridge import Event, emit, emit_many
from eventbridge.models import DeadLetter, OutboxEntry
from tests.model.fate import Blow
from tests.model.world import World


class Turn(Protocol):
    """``blow``: what happens to whoever does it, on the way."""

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
        if world.fate.where in ("", "committed"):
            for event in events:
                world.books.commit(event)


@dataclass(frozen=True)
class Relays:
    """``later``: after the lease has run out that a dead relay may hold."""

    number: int
    faults: list[str]
    blow: Blow | None
    later: bool = True

    def play(self, world: World) -> None:
        if self.later:
            world.end_relays_lease()
        world.poll(self.number, self.faults, self.blow)


@dataclass(frozen=True)
class Takes:
    """``later``: after what the dead held has become anybody's."""

    number: int
    blow: Blow | None
    later: bool = True

    def play(self, world: World) -> None:
        if self.later:
            world.end_consumers_leases(asleep=False)
        with world.struck_by(self.blow, self.number):
            world.consumers[self.number].take()


@dataclass(frozen=True)
class TakesReplays:
    """Of a dead letter that is marked now, unless there is none."""

    number: int
    letter: int
    blow: Blow | None

    def play(self, world: World) -> None:
        letters = list(DeadLetter.objects.resting().order_by("pk"))
        if letters:
            world.replay(letters[self.letter % len(letters)])
        with world.struck_by(self.blow, self.number):
            world.consumers[self.number].take_replays()


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


@dataclass(frozen=True)
class Goes:
    """A consumer's process, or its link."""

    number: int
    how: str

    def play(self, world: World) -> None:
        if self.how == "stops":
            world.stop(self.number)
        elif self.how == "is killed":
            world.kill(self.number)
        else:
            world.consumers[self.number].lose_link()


@dataclass(frozen=True)
class RelayStops:
    number: int

    def play(self, world: World) -> None:
        world.relays[self.number].close(0.1)
        world.kill_relay(self.number)


@dataclass(frozen=True)
class Duplicates:
    """The broker has something twice."""

    number: int

    def play(self, world: World) -> None:
        world.side.duplicate(self.number)


@dataclass(frozen=True)
class RetriesParked:
    """The operator does, and may have mended why they were parked."""

    bind: bool

    def play(self, world: World) -> None:
        if self.bind:
            world.side.bind_late()
        OutboxEntry.objects.all().retry()


@dataclass(frozen=True)
class RunsOut:
    """Time passes."""

    what: str

    def play(self, world: World) -> None:
        if self.what == "the rungs":
            world.end_rungs()
        else:
            world.end_consumers_leases(asleep=True)
