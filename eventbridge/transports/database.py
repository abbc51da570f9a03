"""The embedded transport, ``database://[alias][?lease=10]``: queues as leased rows in the database.

One database, thousands of messages a second, nothing to install. A message that a consumer holds
is leased to it; the lease is renewed while it lives, and what it held is redelivered when it dies.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections, transaction

from eventbridge import transports
from eventbridge.errors import Unavailable
from eventbridge.models.broker import BrokerBinding, BrokerMessage, BrokerQueue, LeasedMessage, NewMessage
from eventbridge.models.doorbell import FileDoorbell
from eventbridge.outage import forget_broken_connection, is_busy
from eventbridge.topology import EVENTS, REQUEUE, Queue, Topology, matches
from eventbridge.transports import CONFIRMED, UNROUTABLE, Message, Options, Outcome, Scalar, scalars
from eventbridge.transports.examination import Examination, Write

LEASE = 10.0
"""Seconds after which what a dead consumer held is redelivered, unless the URL says otherwise."""
_SHORTEST, _LONGEST = 0.005, 0.1
_LOOK = 0.003


def _alias(options: Options) -> str:
    return urlsplit(options.url).netloc or DEFAULT_DB_ALIAS


def _lease(options: Options) -> float:
    return float(parse_qs(urlsplit(options.url).query).get("lease", [LEASE])[0])


class _Busy(Unavailable):
    """SQLite gave up waiting for another writer; whoever holds something may keep it."""


@contextmanager
def _available(alias: str) -> Iterator[None]:
    """Tell an unreachable or busy database apart from our own mistakes."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        forget_broken_connection(alias)
        kind = _Busy if is_busy(error) else Unavailable
        raise kind(f"database {alias}: {error}") from error


class Publisher:
    """Puts each message into every queue that is bound for it; a batch is one transaction."""

    def __init__(self, options: Options) -> None:
        self.alias = _alias(options)

    def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        with _available(self.alias):
            routes = self._routes()
            wanted = [[q for q, pattern in routes if matches(pattern, m.routing_key)] for m in messages]
            rows = [_row(queue, m) for m, found in zip(messages, wanted, strict=True) for queue in dict.fromkeys(found)]
            BrokerMessage.objects.using(self.alias).put(rows)
        return [CONFIRMED if found else UNROUTABLE for found in wanted]

    def _routes(self) -> list[tuple[str, str]]:
        bindings = BrokerBinding.objects.using(self.alias)
        return list(bindings.order_by("id").values_list("queue_id", "pattern"))

    def depth(self, queue: str) -> int | None:
        try:
            with _available(self.alias):
                # Not what waits for its next attempt: RabbitMQ has that in the rungs, not in the queue.
                return BrokerMessage.objects.using(self.alias).ready(queue).count()
        except Unavailable:
            return None

    @property
    def certificate_ends(self) -> None:
        """There is none."""

    def close(self, deadline: float) -> None:
        """Nothing to close: the database connection is the thread's."""


def _row(queue: str, message: Message) -> NewMessage:
    return NewMessage(
        queue=queue,
        routing_key=message.routing_key,
        message_id=message.id,
        type=message.type,
        source=message.source,
        content_type=message.content_type,
        headers=json.dumps(dict(message.headers)) if message.headers else "",
        body=message.body,
    )


class Subscriber:
    """Takes leased rows of one queue.

    Deliveries are settled from any thread by a note, which the iterating thread carries out, all
    that have come together at once. Where that fails the lease runs out, and they come again.
    """

    def __init__(self, options: Options, queue: Queue, *, prefetch: int, retries: transports.Publisher) -> None:
        self.alias = _alias(options)
        self.queue = queue
        self.prefetch = 1 if queue.ordered else prefetch
        self.lease = uuid.uuid4().hex
        self.seconds = _lease(options)
        self._held: set[int] = set()
        self._taken: deque[LeasedMessage] = deque()
        self._notes: list[_Note] = []
        self._changed = threading.Condition()
        self._renewed = time.monotonic()
        self._bell = FileDoorbell(self.alias) if connections[self.alias].vendor == "sqlite" else None

    def deliveries(self, wait: float) -> Iterator[transports.Delivery | None]:
        self._must_exist()
        quiet, pause = 0.0, _SHORTEST
        while True:
            try:
                self._taken.extend(self._turn())
            except _Busy:
                time.sleep(_SHORTEST)
                yield None
            if self._taken:
                quiet, pause = 0.0, _SHORTEST
                while self._taken:
                    yield _Leased(self, self._taken.popleft())
                continue
            quiet += self._rest(min(pause, wait))
            pause = min(pause * 1.5, _LONGEST)
            if quiet >= wait:
                quiet = 0.0
                yield None

    def close(self, deadline: float) -> None:
        until = time.monotonic() + deadline
        while self._taken:  # nobody was given these
            self.settle(_Note(self._taken.popleft().id))
        while self._held and time.monotonic() < until:
            self._rest(min(_LONGEST, until - time.monotonic()))
            with suppress(Unavailable):
                self._keep()
        with suppress(Unavailable), _available(self.alias):
            self._carry_out()
            if deadline > 0:
                # Ready at once for somebody else, with the lease left on it: the mark of a suspect.
                BrokerMessage.objects.using(self.alias).renew(self.lease, 0)

    def settle(self, note: _Note) -> None:
        """Take the note, unless its message has been settled."""
        with self._changed:
            if note.pk in self._held:
                self._held.remove(note.pk)
                self._notes.append(note)
                self._changed.notify()

    def _must_exist(self) -> None:
        with _available(self.alias):
            known = BrokerQueue.objects.using(self.alias).filter(name=self.queue.name).exists()
        if not known:
            raise Unavailable(f"no queue {self.queue.name!r}: run manage.py eventbridge topology --apply")

    def _turn(self) -> list[LeasedMessage]:
        """Carry out what was noted, then take what there is room for."""
        self._keep()
        room = self.prefetch - len(self._held)
        messages = BrokerMessage.objects.using(self.alias)
        with _available(self.alias):
            if room <= 0 or not messages.ready(self.queue.name).exists():
                return []
            if self.queue.ordered:
                found = messages.take_next(self.queue.name, self.lease, self.seconds)
            else:
                found = messages.take(self.queue.name, self.lease, self.seconds, room)
        with self._changed:
            self._held.update(row.id for row in found)
        return found

    def _keep(self) -> None:
        """Settle what was noted, and hold on to the rest."""
        with _available(self.alias):
            self._carry_out()
            if self._held and time.monotonic() - self._renewed > self.seconds / 3:
                BrokerMessage.objects.using(self.alias).renew(self.lease, self.seconds)
                self._renewed = time.monotonic()

    def _carry_out(self) -> None:
        with self._changed:
            notes = list(self._notes)
        messages = BrokerMessage.objects.using(self.alias)
        if done := [note.pk for note in notes if note.after is None]:
            messages.done(done, self.lease)
        for after, charge in {(note.after, note.charge) for note in notes if note.after is not None}:
            back = [note.pk for note in notes if (note.after, note.charge) == (after, charge)]
            messages.put_back(back, self.lease, after, charge)
        with self._changed:
            del self._notes[: len(notes)]

    def _rest(self, seconds: float) -> float:
        """Wait, but no longer than until something is to be settled, or may have come; return how long it was."""
        began = time.monotonic()
        with self._changed:
            while not self._notes and (left := began + seconds - time.monotonic()) > 0:
                self._changed.wait(min(left, _LOOK) if self._bell else left)
                if self._bell and self._bell.rang():
                    break
        return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class _Note:
    """How to settle one message: delete it (``after`` None), or make it ready after so long."""

    pk: int
    after: float | None = 0.0
    charge: int = 0


class _Leased:
    """A Delivery."""

    def __init__(self, subscriber: Subscriber, row: LeasedMessage) -> None:
        self._subscriber = subscriber
        self._pk = row.id
        self.attempt = row.attempt
        self.redelivered = row.redelivered
        self.message = Message(
            destination=EVENTS,
            routing_key=row.routing_key,
            body=bytes(row.body),
            id=row.message_id,
            type=row.type,
            source=row.source,
            content_type=row.content_type,
            headers=_headers(row.headers) if row.headers else {},
        )

    def ack(self) -> None:
        self._subscriber.settle(_Note(self._pk, after=None))

    def retry(self, after: float) -> None:
        self._subscriber.settle(_Note(self._pk, after=after, charge=1))

    def release(self) -> None:
        self._subscriber.settle(_Note(self._pk))


def _headers(text: str) -> dict[str, Scalar]:
    """What can be read of a row's headers: somebody else may have written it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return scalars(found) if isinstance(found, dict) else {}


def declare(options: Options, topology: Topology) -> None:
    """Create the consumers' queues, and make their bindings exactly these."""
    alias = _alias(options)
    with _available(alias), transaction.atomic(using=alias):
        for queue, patterns in _wanted(topology).items():
            BrokerQueue.objects.using(alias).update_or_create(name=queue.name, defaults={"ordered": queue.ordered})
            bindings = BrokerBinding.objects.using(alias)
            bindings.filter(queue=queue.name).exclude(pattern__in=patterns).delete()
            bindings.bulk_create(
                [BrokerBinding(queue_id=queue.name, pattern=pattern) for pattern in patterns],
                ignore_conflicts=True,
            )


def missing(options: Options, topology: Topology) -> list[str]:
    alias = _alias(options)
    with _available(alias):
        queues = set(BrokerQueue.objects.using(alias).values_list("name", flat=True))
        bindings = set(BrokerBinding.objects.using(alias).values_list("queue_id", "pattern"))
    wanted = _wanted(topology)
    absent = [f"queue {queue.name}" for queue in wanted if queue.name not in queues]
    unbound = [
        f"binding {pattern} to {queue.name}"
        for queue, patterns in wanted.items()
        for pattern in patterns
        if (queue.name, pattern) not in bindings
    ]
    return absent + unbound


def examine(options: Options, topology: Topology, *, writes: Sequence[Write], reads: Sequence[str]) -> Examination:
    """Whoever may use the database may do everything here: there are no rights to look at."""
    alias = _alias(options)
    with _available(alias):
        made = dict(BrokerQueue.objects.using(alias).values_list("name", "ordered"))
    other = [
        f"queue {queue.name} is {'' if made[queue.name] else 'not '}made for an ordered consumer, "
        f"and {queue.name} is {'' if queue.ordered else 'not '}ordered."
        for queue in _wanted(topology)
        if made.get(queue.name, queue.ordered) != queue.ordered
    ]
    product = f"the embedded broker, in database {alias}"
    return Examination(product=product, missing=missing(options, topology), other=other)


def _wanted(topology: Topology) -> dict[Queue, list[str]]:
    """The consumers' queues and their patterns. Rungs are a column here, and nothing gets lost."""
    own = {binding.queue for binding in topology.bindings if binding.exchange == REQUEUE}
    return {
        queue: [b.key for b in topology.bindings if b.queue == queue.name and b.exchange == EVENTS]
        for queue in topology.queues
        if queue.name in own
    }
