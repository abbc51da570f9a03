"""Relay: from the outbox to the broker. One is active for each outbox; others stand by."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence

from django.db import DatabaseError, InterfaceError

from eventbridge import telemetry
from eventbridge.capture import source_of
from eventbridge.errors import TopologyMismatch, Unavailable
from eventbridge.models import Lease, OutboxEntry
from eventbridge.models.doorbell import doorbell
from eventbridge.models.low_water import LowWater
from eventbridge.models.outbox import OutboxQuerySet, PendingEntry
from eventbridge.outage import Pause, Reminder, forget_broken_connection
from eventbridge.topology import EVENTS
from eventbridge.transports import Message, Outcome, Publisher
from eventbridge.wire import with_sequence

LEASE = "relay"
_SHORTEST_PAUSE = 0.002
_RUSH = 0.001  # rung at sooner than that after it fell asleep, a relay looks once more before it sleeps again
_SLEEPLESS = 0.01  # who looks that often need not be woken
_AFTER_A_NACK = 1.0
_STANDING_STILL = 0.5
_STANDBY_LOOKS = 1.0


class Relay:
    """Publishes what is in one database's outbox, in order, and deletes what was confirmed.

    Nothing is locked while the broker is awaited: one lease row, held by the database's clock,
    keeps other relays away. ``prepare`` runs before the first event, and again when the broker has been
    away, or something on it: it may have come back empty. Call it from one thread. Times in seconds.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        holder: str,
        database: str = "default",
        batch: int = 1_000,
        lease: float = 15.0,
        longest_pause: float = 0.05,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self.publisher = publisher
        self.holder = holder
        self.database = database
        self.batch = batch
        self.lease = lease
        self.name = f"relay {database}"
        self._prepare = prepare
        self._prepared = False
        self.state = "starting"
        self.why = ""
        self.relayed = 0
        self._low_water = LowWater(database)
        self._doorbell = doorbell(database)
        self._sleeps = longest_pause >= _SLEEPLESS
        self._rushed = self._looks_again = False
        self._token: int | None = None
        self._held_until = 0.0
        self._idle = Pause(_SHORTEST_PAUSE, longest_pause)
        self._outage = Pause(0.5, 10.0)
        self._reminder = Reminder()

    def poll(self) -> float:
        """Relay one batch; return how long to rest before the next one."""
        try:
            if not self._leads():
                return self._rest("standby", "another relay is active", min(self.lease / 3, _STANDBY_LOOKS))
            self._prepare_once()
            entries = self._low_water.look(self.batch)
            if not entries:
                self._looks_again = self._rushed and self._idle.fresh
                return self._rest("ready", "", next(self._idle))
            outcomes = self._publish(entries)
        except (Unavailable, TopologyMismatch) as error:
            self._prepared = False
            return self._hindered(error, str(error))
        except (DatabaseError, InterfaceError) as error:
            forget_broken_connection(self.database)
            return self._hindered(error, f"database {self.database}: {error}".strip())
        self._idle.reset()
        nacked = any(outcome.state == "nacked" for outcome in outcomes)
        return self._rest("ready", "", _AFTER_A_NACK if nacked else 0.0)

    def stand_still(self, why: str) -> float:
        """Relay nothing, for that reason; return how long to rest. What is under way was finished before."""
        return self._rest("paused", why, _STANDING_STILL)

    def rest(self, seconds: float, stopping: threading.Event) -> None:
        """Rest so long, after a poll; where there is nothing to do, until something is recorded. Less if it stops."""
        began = time.monotonic()
        try:
            if self.idle and self._sleeps and not self._looks_again:
                self._doorbell.sleep(seconds, stopping, lambda: bool(self._low_water.look(1)))
                self._rushed = time.monotonic() - began < _RUSH
            else:
                self._doorbell.awake()
                stopping.wait(seconds)
        except (DatabaseError, InterfaceError):
            forget_broken_connection(self.database)  # the next poll says what is the matter

    def close(self, deadline: float) -> None:
        """Let a standby take over at once, and close the link within ``deadline``."""
        try:
            self._doorbell.leave()
            if self._token is not None:
                Lease.objects.using(self.database).release(LEASE, self._token)
        except (DatabaseError, InterfaceError):
            forget_broken_connection(self.database)
        self._token = None
        self.publisher.close(deadline)

    @property
    def idle(self) -> bool:
        """Whether this relay leads and the last look found nothing to do."""
        return self.state == "ready" and not self._idle.fresh

    @property
    def figures(self) -> dict[str, object]:
        return {"relayed": self.relayed, "why": self.why}

    @property
    def _outbox(self) -> OutboxQuerySet:
        return OutboxEntry.objects.using(self.database)

    def _leads(self) -> bool:
        """Hold the lease for at least half its time from now: no batch takes longer."""
        asked = time.monotonic()
        if self._token is not None and asked < self._held_until - self.lease / 2:
            return True
        leases = Lease.objects.using(self.database)
        former = self._token
        if former is None or not leases.renew(LEASE, former, self.lease):
            self._token = leases.take(LEASE, self.holder, self.lease)
            if former is not None and self._token != former + 1:
                telemetry.ousted.send_robust(Relay, using=self.database, holder=self.holder)
        self._held_until = asked + self.lease
        return self._token is not None

    def _prepare_once(self) -> None:
        """Whatever must be done before the first event, as soon as the broker is there."""
        if not self._prepared:
            try:
                self._prepare()
            except TopologyMismatch as error:
                # One consumer's queue: it will refuse by itself, and the others' events go out.
                telemetry.changed.send_robust(Relay, daemon=self.name, state="warned", why=str(error))
            self._prepared = True

    def _publish(self, entries: Sequence[PendingEntry]) -> Sequence[Outcome]:
        """Publish, and settle what is known even where the link was lost on the way."""
        source = source_of(self.database)
        messages = [self._message(entry, source) for entry in entries]
        telemetry.publishing.send_robust(Relay, messages=messages, using=self.database)
        began = time.monotonic()
        try:
            outcomes = self.publisher.publish(messages)
        except Unavailable as error:
            self._settle(entries, error.outcomes, began)
            raise
        self._settle(entries, outcomes, began)
        return outcomes

    def _message(self, entry: PendingEntry, source: str) -> Message:
        return Message(
            destination=EVENTS,
            routing_key=entry.type,
            body=with_sequence(entry.body.encode(), entry.id),
            id=entry.event_id,
            type=entry.type,
            source=source,
            timestamp=entry.recorded,
            headers=json.loads(entry.headers) if entry.headers else {},
        )

    def _settle(self, entries: Sequence[PendingEntry], outcomes: Sequence[Outcome | None], began: float) -> None:
        """Delete what was confirmed; set aside what never will be. A nack is tried again."""
        self._doorbell.awake()  # not before: nothing that can wait comes between a commit and its event
        telemetry.published.send_robust(
            Relay, entries=entries, outcomes=outcomes, seconds=time.monotonic() - began, using=self.database
        )
        pairs = [(entry, outcome) for entry, outcome in zip(entries, outcomes, strict=False) if outcome]
        done = [entry for entry, outcome in pairs if _is_done(entry, outcome)]
        self._outbox.done([entry.id for entry in done])
        self.relayed += len(done)
        if done:
            seconds = time.monotonic() - began
            telemetry.relayed.send_robust(Relay, entries=done, seconds=seconds, using=self.database)
        for entry, outcome in pairs:
            if outcome.state in ("refused", "unroutable") and not _is_done(entry, outcome):
                self._park(entry, outcome.why)

    def _park(self, entry: PendingEntry, reason: str) -> None:
        if self._token is not None and self._outbox.park(entry.id, reason, self._token):
            telemetry.parked.send_robust(Relay, entry=entry, reason=reason, using=self.database)

    def _hindered(self, error: Exception, why: str) -> float:
        telemetry.hindered.send_robust(Relay, daemon=self.name, error=error)
        return self._rest("waiting", why, next(self._outage))

    def _rest(self, state: str, why: str, seconds: float) -> float:
        if state != self.state or (state in ("waiting", "paused") and self._reminder.due):
            self._reminder.said()
            telemetry.changed.send_robust(Relay, daemon=self.name, state=state, why=why)
        self.state, self.why = state, why
        if state != "waiting":
            self._outage.reset()
        return seconds


def _is_done(entry: PendingEntry, outcome: Outcome) -> bool:
    """Confirmed; or nobody wanted it, and its type says that this is fine."""
    return outcome.state == "confirmed" or (outcome.state == "unroutable" and not entry.mandatory)
