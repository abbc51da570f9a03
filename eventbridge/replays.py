"""Replays: dead letters that were marked for replay, as one more Subscriber of their consumer."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator

from django.db import DatabaseError, InterfaceError

from eventbridge import telemetry
from eventbridge.errors import Unavailable
from eventbridge.models import DeadLetter
from eventbridge.models.dead_letter import DeadLetterQuerySet
from eventbridge.outage import forget_broken_connection, is_busy
from eventbridge.topology import EVENTS, REQUEUE
from eventbridge.transports import Delivery, Message

LEASE = 30.0
_LOOK_EVERY = 1.0


class Replays:
    """Leases marked letters a few at a time; one thread iterates, any thread settles."""

    def __init__(self, consumer: str, database: str, at_a_time: int) -> None:
        self.consumer = consumer
        self.database = database
        self.at_a_time = at_a_time
        self.lease = uuid.uuid4().hex
        self.held: set[int] = set()
        self._taken: deque[Replay] = deque()
        self._renewed = time.monotonic()

    @property
    def letters(self) -> DeadLetterQuerySet:
        return DeadLetter.objects.using(self.database)

    def deliveries(self, wait: float) -> Iterator[Delivery | None]:
        while True:
            self._taken.extend(Replay(self, letter, again) for letter, again in self._take())
            while self._taken:
                yield self._taken.popleft()
            quiet = time.monotonic() + _LOOK_EVERY
            while time.monotonic() < quiet:
                time.sleep(wait)
                yield None

    def close(self, deadline: float) -> None:
        until = time.monotonic() + deadline
        while self._taken:  # nobody was given these
            self._taken.popleft().release()
        while self.held and time.monotonic() < until:
            time.sleep(0.05)
        # What is still in hand comes again when its lease runs out, as a suspect.

    def forget(self, pk: int) -> None:
        """It was handled: delete it. Nothing happens if it has died again: it is not ours then."""
        self._settle(pk, lambda: self.letters.filter(pk=pk, lease=self.lease).delete())

    def put_back(self, pk: int, seconds: float = 0, attempt: int = 1) -> None:
        """Take it up again in so many seconds."""
        self._settle(pk, lambda: self.letters.later(pk, self.lease, seconds, attempt))

    def _settle(self, pk: int, change: Callable[[], object]) -> None:
        """Where it fails the lease runs out, and the letter is taken up again."""
        self.held.discard(pk)
        try:
            change()
        except (DatabaseError, InterfaceError):
            forget_broken_connection(self.database)

    def _take(self) -> list[tuple[DeadLetter, bool]]:
        try:
            if self.held and time.monotonic() - self._renewed > LEASE / 3:
                self.letters.filter(pk__in=list(self.held)).renew(self.lease, LEASE)
                self._renewed = time.monotonic()
            room = self.at_a_time - len(self.held)
            taken = self.letters.take(self.consumer, self.lease, LEASE, room) if room > 0 else []
            self.held.update(letter.pk for letter, _ in taken)
        except (DatabaseError, InterfaceError) as error:
            if is_busy(error):
                return []
            forget_broken_connection(self.database)
            raise Unavailable(f"database {self.database}: {error}") from error
        for letter, again in taken:
            if not (again or letter.replay_attempt):
                telemetry.replayed.send_robust(Replays, letter=letter, using=self.database)
        return taken


class Replay:
    """A Delivery that comes from a dead letter."""

    def __init__(self, replays: Replays, letter: DeadLetter, redelivered: bool) -> None:
        self._replays = replays
        self._pk = letter.pk
        self.attempt = letter.replay_attempt + 1
        self.redelivered = redelivered
        self.message = Message(
            destination=REQUEUE if letter.routing_key == replays.consumer else EVENTS,
            routing_key=letter.routing_key,
            body=bytes(letter.body),
            id=letter.event_id,
            type=letter.type,
            source=letter.source,
            content_type=letter.content_type,
            headers=letter.headers,
        )

    def ack(self) -> None:
        self._replays.forget(self._pk)

    def retry(self, after: float) -> None:
        self._replays.put_back(self._pk, after, self.attempt + 1)

    def release(self) -> None:
        self._replays.put_back(self._pk, attempt=self.attempt)
