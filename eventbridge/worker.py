"""Worker: deliveries to a consumer's handlers. It settles every delivery, exactly once.

The order of things is the promise: the inbox row and the handler's work commit together, then the
delivery is acknowledged. What dies in between is delivered again, and found in the inbox.
"""

from __future__ import annotations

import threading
import time
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import async_to_sync
from django.db import DatabaseError, InterfaceError, connections

from eventbridge import telemetry
from eventbridge.consumer import Consumer, Handler
from eventbridge.errors import MalformedMessage, Reject, Retry, RolledBack
from eventbridge.event import Event, cause
from eventbridge.models import DeadLetter, InboxEntry
from eventbridge.models.inbox import InboxQuerySet, Key
from eventbridge.obituary import obituary
from eventbridge.outage import Patience, Stopped, our_own
from eventbridge.quarantine import Quarantine
from eventbridge.redaction import kind_of, told
from eventbridge.tally import Tally
from eventbridge.topology import EVENTS, REQUEUE
from eventbridge.transactions import committing, must_be_intact, must_not_have_ended
from eventbridge.transports import Delivery, Message
from eventbridge.wire import decode

Reason = DeadLetter.Reason
_LOOK_EVERY = 0.1

# What a handler may raise without ending its thread. The last three are no Exception, and leak easily.
_FAILURES = (Exception, CancelledError, SystemExit, KeyboardInterrupt)


@dataclass(eq=False)
class Attempt:
    """One try at one delivery."""

    delivery: Delivery
    event: Event[Any]
    handler: Handler
    number: int
    mark: int = 0
    """Which attempt at a suspect it is, from 1; 0: it is none."""
    seconds: float = 0.0

    @property
    def told(self) -> dict[str, Any]:
        """What receivers of signals get to know of it."""
        return {"event": self.event, "message": self.delivery.message, "attempt": self.number}

    @property
    def key(self) -> Key:
        return self.event.source, self.event.id


class Worker:
    """Handles one consumer's deliveries. Its methods run in any number of threads.

    ``quarantine`` is the process's; None: no other worker is in this process.
    """

    def __init__(self, consumer: Consumer, stopping: threading.Event, quarantine: Quarantine | None = None) -> None:
        self.consumer = consumer
        self.stopping = stopping
        self.running: dict[int, tuple[Delivery, float]] = {}
        """By thread: the delivery whose handler runs in it, and since when (monotonic seconds)."""
        self.patiently = Patience(consumer.database, stopping, f"consumer {consumer.name}")
        self.tally = Tally()
        self._quarantine = quarantine or Quarantine(stopping)
        self._under_way: list[set[Key]] = []

    def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Handle these together; settle each. Returns when all are settled; raises nothing of theirs."""
        try:
            attempts = [attempt for delivery in deliveries if (attempt := self._read(delivery))]
            fresh = [attempt for attempt in attempts if not attempt.delivery.redelivered]
            if fresh:
                self._attempt(fresh)
            for attempt in attempts:
                if attempt.delivery.redelivered:
                    self._attempt_suspect(attempt)
        except Stopped:
            for delivery in deliveries:
                delivery.release()

    # --- from a delivery to an attempt -------------------------------------------------------

    def _read(self, delivery: Delivery) -> Attempt | None:
        """Decode; what cannot be read or has no handler becomes a dead letter, whole."""
        event = None
        try:
            event = decode(delivery.message)
            self._must_have_come_by_right(delivery.message, event)
            handler = self.consumer.handler_for(event.type)
            if handler is not None:
                return Attempt(delivery, event.read_as(handler.payload), handler, delivery.attempt)
        except MalformedMessage as error:
            self._bury(delivery, event, Reason.MALFORMED, error)
        else:
            missing = LookupError(f"{self.consumer.name} has no handler for {event.type}")
            self._bury(delivery, event, Reason.UNHANDLED, missing)
        return None

    def _must_have_come_by_right(self, message: Message, event: Event[Any]) -> None:
        """A broker's rights are for routing keys: what the body says of itself counts only if the key agrees.

        On RabbitMQ 3 whoever may publish under one key can send copies under any other, past the topic
        permissions, by the headers CC and BCC (rabbitmq-server#12553); the key that arrives is the permitted one.
        """
        meant = {EVENTS: event.type, REQUEUE: self.consumer.name}.get(message.destination, message.routing_key)
        if message.routing_key != meant:
            raise MalformedMessage(f"it was published as {message.routing_key!r}, which {meant!r} is not: a forgery?")

    # --- attempts ----------------------------------------------------------------------------

    def _attempt(self, attempts: Sequence[Attempt]) -> None:
        """Handle these in one transaction; if that fails, its halves, uncharged, down to what fails by itself."""
        try:
            fresh = self.patiently(lambda: self._handle_apart(attempts))
        except Stopped:
            raise
        except _FAILURES as error:
            if len(attempts) == 1:
                self._failed(attempts[0], error)
            else:
                middle = len(attempts) // 2
                self._attempt(attempts[:middle])
                self._attempt(attempts[middle:])
        else:
            for attempt in attempts:
                self._succeeded(attempt, fresh=attempt in fresh, batch=len(attempts))

    def _attempt_suspect(self, attempt: Attempt) -> None:
        """Somebody held it and vanished: one at a time, counted before it runs.

        A message that kills its process takes no neighbour along: only what ran is counted, and
        nobody is given up who did not die alone.
        """
        self._wait_for_an_earlier_one(attempt.key)
        attempt.mark = 1 + self.patiently.on_our_own(lambda: self._inbox.marks(self.consumer.name, attempt.key))
        # The mark also waits for a process that is still at it: what that handles is not given up.
        if attempt.mark > 1 and self._left(attempt) < 0 and self.patiently.on_our_own(lambda: self._mark(attempt)):
            error = RuntimeError(f"its process died in each of {attempt.mark - 1} attempts")
            self._bury(attempt.delivery, attempt.event, Reason.CRASHED, error, attempt.number + attempt.mark - 2)
            return
        try:
            self._attempt([attempt])
        except Stopped:
            with suppress(DatabaseError, InterfaceError):  # it has not failed: its mark is none
                self._inbox.unmark(self.consumer.name, attempt.key, attempt.mark - 1)
            raise

    def _wait_for_an_earlier_one(self, key: Key) -> None:
        """It may have come again because its link was lost, and not its holder: then it is still at work here."""
        while not self.stopping.is_set():
            if not any(key in keys for keys in list(self._under_way)):
                return
            self.stopping.wait(_LOOK_EVERY)
        raise Stopped

    def _left(self, attempt: Attempt) -> int:
        """How many more attempts a suspect has after this one; below 0: not even this one."""
        return len(self.consumer.retries) + 1 - (attempt.number - 1 + attempt.mark)

    def _mark(self, attempt: Attempt) -> bool:
        """By its number: a commit whose answer was lost is made again, and counts once."""
        return self._inbox.mark(self.consumer.name, attempt.key, attempt.mark)

    def _handle_apart(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Handle these together; or the one suspect apart from others, marked before it runs."""
        suspect, keys = attempts[0], {attempt.key for attempt in attempts}
        if not suspect.mark:
            with self._quarantine.together(), self._noted(keys):
                return self._handle_once(attempts)
        with self._quarantine.apart(alone=self._left(suspect) <= 0), self._noted(keys):
            with our_own():
                self._mark(suspect)
            return self._handle_once(attempts)

    @contextmanager
    def _noted(self, keys: set[Key]) -> Iterator[None]:
        self._under_way.append(keys)
        try:
            yield
        finally:
            self._under_way.remove(keys)

    def _handle_once(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Run the handlers of what is not in the inbox, and put it there. Returns what was run."""
        first = {attempt.key: attempt for attempt in reversed(attempts)}
        if not self.consumer.atomic:
            return self._handle_outside(list(first.values()))
        using = self.consumer.database
        with committing(using, self._hook_failed):
            with our_own():
                new = self._inbox.claim(self.consumer.name, list(first))
            fresh = [attempt for attempt in attempts if attempt.key in new and first[attempt.key] is attempt]
            opened = connections[using].connection
            for attempt in fresh:
                self._run(attempt)
                must_be_intact(using, opened, "the handler")
                must_not_have_ended(using, "the handler")
        return fresh

    def _handle_outside(self, attempts: list[Attempt]) -> list[Attempt]:
        """No transaction is open while the handler runs; the inbox row follows it."""
        with our_own():
            fresh = [a for a in attempts if not self._inbox.has(self.consumer.name, a.key)]
        for attempt in fresh:
            self._run(attempt)
            self._must_autocommit()
            self._record(attempt.key)
        return fresh

    def _record(self, key: Key) -> None:
        """The work is done: nothing but a crash may keep it out of the inbox."""
        self.patiently.on_our_own(lambda: self._inbox.claim(self.consumer.name, [key]))

    def _must_autocommit(self) -> None:
        """Or the inbox row, and the next handler's work, would never be committed."""
        connection = connections[self.consumer.database]
        if connection.connection is not None and not connection.get_autocommit():
            connection.close()
            raise RolledBack("the handler left autocommit off: use transaction.atomic()")

    def _run(self, attempt: Attempt) -> None:
        """Call the handler. What it emits meanwhile has this event as its cause."""
        function: Callable[[Event[Any]], Any] = attempt.handler.function
        call = async_to_sync(function) if iscoroutinefunction(function) else function
        token, began = cause.set(attempt.event), time.monotonic()
        self.running[threading.get_ident()] = attempt.delivery, began
        telemetry.began.send_robust(Worker, consumer=self.consumer, **attempt.told)
        failure = ""
        try:
            call(attempt.event)
        except BaseException as error:
            failure = kind_of(error)
            raise
        finally:
            del self.running[threading.get_ident()]
            cause.reset(token)
            attempt.seconds = time.monotonic() - began
            ended = {**attempt.told, "seconds": attempt.seconds, "error": failure}
            telemetry.ended.send_robust(Worker, consumer=self.consumer, **ended)

    # --- outcomes ----------------------------------------------------------------------------

    def _succeeded(self, attempt: Attempt, *, fresh: bool, batch: int) -> None:
        attempt.delivery.ack()
        self.tally.handled()
        told = {"consumer": self.consumer, "event": attempt.event, "attempt": attempt.number}
        if fresh:
            telemetry.handled.send_robust(Worker, seconds=attempt.seconds, batch=batch, **told)
        else:
            telemetry.duplicate.send_robust(Worker, **told)

    def _failed(self, attempt: Attempt, error: BaseException) -> None:
        """The next rung of the ladder, or the end of it."""
        asked = error.after if isinstance(error, Retry) else None
        after = None if isinstance(error, Reject) else self.consumer.rung(attempt.number, asked)
        self.tally.failed(attempt.key, error, after, self.consumer.redact)
        if after is None:
            reason = Reason.REJECTED if isinstance(error, Reject) else Reason.FAILED
            self._bury(attempt.delivery, attempt.event, reason, error, attempt.number)
            return
        if not self.consumer.ordered:
            self._unmark(attempt.delivery, attempt.event)
            self.patiently(lambda: attempt.delivery.retry(after), asks_broker=True)
        telemetry.retried.send_robust(
            Worker, consumer=self.consumer, event=attempt.event, message=attempt.delivery.message,
            attempt=attempt.number, after=after, error=told(error, self.consumer.redact),
        )  # fmt: skip
        if self.consumer.ordered:
            self._again_in_place(attempt, after)

    def _again_in_place(self, attempt: Attempt, after: float) -> None:
        """An ordered consumer waits here: nothing may overtake."""
        if self.stopping.wait(after):
            raise Stopped
        attempt.number += 1
        self._attempt([attempt])

    def _bury(
        self,
        delivery: Delivery,
        event: Event[Any] | None,
        reason: DeadLetter.Reason,
        error: BaseException,
        attempts: int | None = None,
    ) -> None:
        """Write the dead letter; when that is committed, acknowledge."""
        attempts = delivery.attempt if attempts is None else attempts
        redact = self.consumer.redact
        letter = obituary(self.consumer.name, delivery.message, event, reason, error, attempts, redact)
        letters = DeadLetter.objects.using(self.consumer.database)
        self._unmark(delivery, event)
        self.patiently.on_our_own(lambda: letters.bury(letter))
        delivery.ack()
        telemetry.died.send_robust(Worker, consumer=self.consumer, letter=letter, event=event)

    def _unmark(self, delivery: Delivery, event: Event[Any] | None) -> None:
        """A suspect's attempts end here: from now on the ladder, or the dead letter, counts."""
        if delivery.redelivered and event:
            key = event.source, event.id
            self.patiently.on_our_own(lambda: self._inbox.unmark(self.consumer.name, key))

    def _hook_failed(self, error: Exception) -> None:
        """After the commit: the event is handled, whatever its ``on_commit`` hooks make of it."""
        telemetry.hook_failed.send_robust(Worker, consumer=self.consumer, error=told(error, self.consumer.redact))

    @property
    def _inbox(self) -> InboxQuerySet:
        return InboxEntry.objects.using(self.consumer.database)
