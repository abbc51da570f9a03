"""deliver: the outbox drained and the handlers run, here and now.

The relay's reading and the consumers' worker are the real ones; the broker between them is in
memory, and the test's transaction stands for the database that commits.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from eventbridge.conf import settings
from eventbridge.consumer import Consumer, consumers_in
from eventbridge.relay import Relay
from eventbridge.testing.captured import keep, outboxes
from eventbridge.testing.hands import Hands, Settled
from eventbridge.topology import EVENTS, matches, topology_of
from eventbridge.transports import CONFIRMED, Message, Outcome

_LIBRARY = f"{Path(__file__).parents[1]}{os.sep}"


def deliver(
    *consumers: Consumer | str,
    failures: Literal["raise", "collect", "retry"] = "raise",
    using: str | None = None,
    limit: int = 1000,
) -> list[Settled]:
    """Hand every event in the outbox to the consumers' handlers; return how each delivery was settled.

    ``consumers`` are consumers, or modules that define some; by default EVENTBRIDGE["CONSUMERS"]. What handlers
    emit is delivered as well, until nothing is left. An event that none of them handles is taken all the same.
    ``using`` names one outbox; by default it is each one that the test may use.

    ``failures`` says what follows when a handler raises:

    * ``"raise"``: everything is delivered once, then the first failure is raised, as it was raised there.
    * ``"collect"``: nothing is raised; what is returned tells it.
    * ``"retry"``: as that, and each retry follows at once, without its wait, until the event is handled or dead.

    Handlers run in the calling thread, one after the other, with no ``timeout``. An atomic handler's work is a
    savepoint in the test's transaction, which its ``on_commit`` hooks follow. Raises LookupError where there are
    no consumers, and RuntimeError where handlers emit more than ``limit`` events in turn, probably without end.
    """
    __tracebackhide__ = True
    settled: list[Settled] = []
    hands = [Hands(consumer, settled, repeat=failures == "retry") for consumer in _found(consumers)]
    _deliver([_Relay(alias, hands) for alias in outboxes(using)], hands, settled, limit)
    failed = [each for each in settled if each.error]
    if failed and failures == "raise":
        raise _failure(failed)
    return settled


def _found(named: Sequence[Consumer | str]) -> Iterable[Consumer]:
    """By their names. Two of one name would share an inbox."""
    named = named or list(settings.CONSUMERS)
    if not named:
        raise LookupError(
            "there are no consumers: name them, deliver('shop.consumers'), or set EVENTBRIDGE['CONSUMERS']"
        )
    found: dict[str, Consumer] = {}
    for each in named:
        if not isinstance(each, (Consumer, str)):
            raise TypeError(f"deliver() takes consumers, or the names of their modules, not {each!r}")
        for consumer in consumers_in([each]) if isinstance(each, str) else [each]:
            if found.setdefault(consumer.name, consumer) is not consumer:
                raise LookupError(f"two consumers are named {consumer.name!r}")
    return found.values()


def _deliver(relays: Sequence[_Relay], hands: Sequence[Hands], settled: Sequence[Settled], limit: int) -> None:
    """Round by round: what the handlers of one emitted is the next."""
    emitted, left = 0, sum(relay.drain() for relay in relays)
    while left:
        for hand in hands:
            hand.work()
        left = sum(relay.drain() for relay in relays)
        emitted += left
        if emitted > limit:
            raise RuntimeError(_endless(settled, limit))


def _endless(settled: Sequence[Settled], limit: int) -> str:
    last = Counter((each.consumer, each.event.type) for each in settled[-limit:])
    pairs = ", ".join(f"{consumer} handled {kind} {times} times" for (consumer, kind), times in last.most_common(3))
    return f"handlers have emitted more than {limit} events, probably without end (of the last, {pairs}). See limit=…"


class _Relay(Relay):
    """The relay's reading and settling, without its lease: a test is alone with its database."""

    def __init__(self, database: str, hands: Sequence[Hands]) -> None:
        super().__init__(_Broker(database, hands), holder="deliver", database=database)

    def drain(self) -> int:
        """Publish everything that is in the outbox; return how much it was."""
        total = 0
        while entries := self._outbox.pending(self.batch):
            self._publish(entries)
            total += len(entries)
        return total


class _Broker:
    """A publisher: gives each message to the hands of every consumer that is bound for it, and keeps a copy."""

    def __init__(self, database: str, hands: Sequence[Hands]) -> None:
        self._database = database
        self._hands = {hand.consumer.name: hand for hand in hands}
        bindings = topology_of(hand.consumer for hand in hands).bindings
        self._bindings = [binding for binding in bindings if binding.exchange == EVENTS]

    def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        keep(self._database, messages)
        for message in messages:
            for queue in dict.fromkeys(self._queues(message)):
                self._hands[queue].take(message)
        return [CONFIRMED] * len(messages)

    def depth(self, queue: str) -> int | None:
        return None

    @property
    def certificate_ends(self) -> None: ...

    def close(self, deadline: float) -> None:
        """Nothing to close."""

    def _queues(self, message: Message) -> Iterator[str]:
        return (binding.queue for binding in self._bindings if matches(binding.key, message.routing_key))


def _failure(failed: Sequence[Settled]) -> BaseException:
    """The first failure, its traceback beginning in the handler; the others as notes."""
    first: Any = failed[0].error
    for other in failed[1:]:
        if other.error is not first:
            first.add_note(f"also failed: {other}")
    return first.with_traceback(_outside(first.__traceback__))  # type: ignore[no-any-return]


def _outside(story: TracebackType | None) -> TracebackType | None:
    """Where a traceback leaves the library, if it does."""
    place = story
    while place and place.tb_frame.f_code.co_filename.startswith(_LIBRARY):
        place = place.tb_next
    return place or story
