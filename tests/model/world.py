"""The world of one history: its processes, its books, and what becomes of whoever is struck."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, models
from django.db.models.functions import Now

from eventbridge.models import DeadLetter, InboxEntry, Lease, OutboxEntry
from eventbridge.relay import Relay
from tests.model import cast
from tests.model.books import Books
from tests.model.fate import Blow, Died, Fate
from tests.model.processes import ConsumerProcess, make_relay
from tests.model.sides import Side
from tests.shop.models import Note

PROCESSES = (cast.books, cast.books, cast.mail)
RELAYS = 2
_PATIENCE = 300

TABLES: tuple[type[models.Model], ...] = (OutboxEntry, InboxEntry, DeadLetter, Lease, Note)


class World:
    """Two relays and three consumer processes, on one broker. It begins empty."""

    def __init__(self, make_side: Callable[[], Side], fate: Fate) -> None:
        for table in TABLES:
            table._default_manager.all().delete()
        self.fate = fate
        self.side = make_side()
        fate.meanwhile = self.side.meanwhile
        self.stage = cast.begin()
        self.books = Books(self.side, self.stage)
        self._born = 0
        self.relays = [self._new_relay() for _ in range(RELAYS)]
        self.consumers = [ConsumerProcess(self.side, consumer) for consumer in PROCESSES]

    # --- fate ---

    @contextmanager
    def struck_by(self, blow: Blow | None, consumer: int | None = None, relay: int | None = None) -> Iterator[None]:
        """Somewhere on the way it happens, or it does not. Whoever dies is replaced."""
        self.stage.nobody_runs()
        self.fate.expect(blow)
        try:
            yield
        except Died:
            self._mourn(consumer, relay)
        except OperationalError:
            assert self.fate.has_fallen, "an outage that nobody caused"
        finally:
            self.fate.expect_nothing_more()
        if self.fate.has_fallen and self.stage.running:
            self.books.breaks[self.stage.running] += 1

    def _mourn(self, consumer: int | None, relay: int | None) -> None:
        """An attempt was under way if its handler had begun, or if it was marked as a suspect's."""
        for pair in {self.stage.running, self.fate.suspect}:
            if pair is not None:
                self.stage.deaths[pair] += 1
        if consumer is not None:
            self.kill(consumer)
        if relay is not None:
            self.kill_relay(relay)

    # --- relays ---

    def poll(self, number: int, faults: list[str], blow: Blow | None) -> None:
        self.side.misbehave(faults)
        self.fate.overtake = lambda: self._overtake(number)
        with self.struck_by(blow, relay=number):
            self.relays[number].poll()
        self.side.misbehave([])
        self.books.relayed(self.fate)

    def _overtake(self, number: int) -> None:
        """The process sleeps for longer than its lease lasts, and another one does the same work meanwhile."""
        Lease.objects.update(expires_at=Now())
        self.relays[1 - number].poll()

    def kill_relay(self, number: int) -> None:
        link: Any = getattr(self.relays[number].publisher, "_link", None)
        if link:
            link.drop()
        self.relays[number] = self._new_relay()

    def _new_relay(self) -> Relay:
        self._born += 1
        return make_relay(self.side, f"relay {self._born}")

    def end_relays_lease(self) -> None:
        Lease.objects.update(expires_at=Now())
        for relay in self.relays:
            relay._held_until = 0.0

    # --- consumers ---

    @property
    def busy(self) -> list[int]:
        """The processes that have something in hand."""
        return [number for number, process in enumerate(self.consumers) if process.has_work]

    def work(
        self, number: int, at_most: int, faults: list[str], moods: list[str], blow: Blow | None, *, told: bool = False
    ) -> None:
        """``told``: where it has to wait for something, it is told to stop meanwhile."""
        process = self.consumers[number]
        process.stopping.told_while_it_waits = told
        self.side.misbehave(faults)
        self.stage.another_work(moods)
        with self.struck_by(blow, number):
            process.work(at_most)
            if process.stopping.is_set():
                self.stop(number)
        self.side.misbehave([])

    def stop(self, number: int) -> None:
        self.consumers[number].stop()
        self.kill(number)

    def kill(self, number: int) -> None:
        """It is gone; there is a new one."""
        self.consumers[number].lose_link()
        self.consumers[number] = ConsumerProcess(self.side, PROCESSES[number])

    def end_consumers_leases(self, *, asleep: bool) -> None:
        """Of the dead; and of the living, if they slept for as long."""
        renewed = set() if asleep else {lease for process in self.consumers for lease in process.leases}
        self.side.lapse(renewed)
        held = DeadLetter.objects.exclude(lease__in=["", *renewed]).filter(replay_at__isnull=False)
        held.update(replay_at=Now())

    def end_rungs(self) -> None:
        self.side.expire()
        DeadLetter.objects.filter(lease="", replay_at__isnull=False).update(replay_at=Now())

    def replay(self, letter: DeadLetter) -> None:
        pair = letter.consumer, letter.event_id
        self.books.replays[pair] = self.stage.failed[pair]
        DeadLetter.objects.filter(pk=letter.pk).replay()

    # --- the end ---

    def end(self) -> None:
        """Everything heals and drains, dead letters that deserve it are replayed, and the books balance."""
        self.side.bind_late()
        OutboxEntry.objects.all().retry()
        self._drain()
        for letter in DeadLetter.objects.resting():
            if self.books.committed[letter.event_id].destiny == "good":
                self.replay(letter)
        self._drain()
        self.books.balance()

    def _drain(self) -> None:
        for _ in range(_PATIENCE):
            self._relay_all()
            for number in range(len(PROCESSES)):
                self._take_and_work(number)
            if not self.side.present() and not _marked().exists():
                return
            self.end_rungs()
            self.end_consumers_leases(asleep=False)
        raise AssertionError("it never comes to rest")

    def _relay_all(self) -> None:
        for _ in range(_PATIENCE):
            if not OutboxEntry.objects.filter(parked_at=None).exists():
                return
            self.end_relays_lease()
            self.poll(0, [], None)
        raise AssertionError("the outbox is never empty")

    def _take_and_work(self, number: int) -> None:
        """One by one: of several that kill, each takes the acknowledgements of those before it along."""
        with self.struck_by(None, number):
            if _marked().exists():
                self.consumers[number].take_replays()
            self.consumers[number].take()
        process = self.consumers[number]
        while process.has_work and process is self.consumers[number]:
            self.work(number, 1, [], [], None)
            with self.struck_by(None, number):
                self.consumers[number].take()


def _marked() -> models.QuerySet[DeadLetter]:
    return DeadLetter.objects.filter(replay_at__isnull=False)
