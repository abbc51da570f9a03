"""Publisher: pipelined confirms, with an outcome for each message."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from time import monotonic

import amqp
from amqp.exceptions import AccessRefused, ChannelError, NotFound

from eventbridge.errors import Unavailable
from eventbridge.transports import Message, Options, Outcome
from eventbridge.transports.rabbitmq.confirms import ConfirmChannel
from eventbridge.transports.rabbitmq.connection import APPLY, LINK_ERRORS
from eventbridge.transports.rabbitmq.frames import Unencodable
from eventbridge.transports.rabbitmq.link import Link

WINDOW = 1_000
"""Messages that may wait for their confirm at a time."""


class Publisher:
    """Publishes to RabbitMQ, and believes nothing but the broker's confirm for its own tag.

    It connects when first used. After any doubt (a time-out, a lost link, an alarm) it throws the
    connection away, so that no late confirm can pass for that of a later message. Threads may share
    it: their calls take turns.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._link = Link(options)
        self._connection: amqp.Connection | None = None
        self._channel: ConfirmChannel | None = None
        self._batch = _Batch([], 0)

    def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Publish in order; return one outcome per message, in the same order.

        Returns within ``confirm_timeout`` seconds of its turn. Raises Unavailable, with the outcomes known so
        far, when no broker was to be had or it did not answer about all; also when an exchange does
        not exist or is closed to this user as a whole: that is no event's fault, so nothing is refused.
        """
        with self._link.turn():
            # From its turn on: a thread that waited for others' batches would doubt a link that is well.
            self._batch = batch = _Batch(messages, monotonic() + self.options.confirm_timeout)
            try:
                while batch.waiting:
                    self._pipeline(batch)
            except (Unavailable, *LINK_ERRORS) as error:
                why = self._why(error)
                self._drop()
                raise Unavailable(why, batch.outcomes) from error
            except BaseException:  # an interrupt: what is under way would answer the next batch
                self._drop()
                raise
        return batch.finished()

    def depth(self, queue: str) -> int | None:
        """Messages that wait in ``queue``. None: it is not there, or nobody to ask."""
        try:
            with self._link.turn():
                return self._depth(queue)
        except Unavailable:
            return None

    @property
    def certificate_ends(self) -> float | None:
        """Of the broker of the last link. None: no TLS, or there was no link yet."""
        return self._link.certificate_ends

    def close(self, deadline: float) -> None:
        """Close within ``deadline`` seconds, whatever state the link is in. It stays closed."""
        self._link.close(deadline)

    # --- one call of publish ---------------------------------------------------------------------

    def _pipeline(self, batch: _Batch) -> None:
        """Publish what waits, a window at a time, until all is answered or the channel is closed."""
        channel = self._confirm_channel(batch.until)
        try:
            while batch.waiting or channel:
                self._fill(channel, batch)
                self._gather(channel, batch)
        except ChannelError as error:
            self._channel = None
            batch.blame(channel.slots, error)
            channel.close()

    def _fill(self, channel: ConfirmChannel, batch: _Batch) -> None:
        window = 1 if batch.careful else WINDOW
        while batch.waiting and len(channel) < window:
            slot = batch.next()
            if slot is None:
                continue
            try:
                channel.publish(slot, batch.messages[slot])
            except Unencodable as error:
                batch.report(slot, Outcome("refused", f"AMQP cannot carry it: {error}"))
        channel.flush()

    def _gather(self, channel: ConfirmChannel, batch: _Batch) -> None:
        """Read until half the window is free; when nothing waits to be published, until all is known."""
        enough = WINDOW // 2 if batch.waiting and not batch.careful else 0
        while len(channel) > enough:
            channel.read(batch.until)

    # --- the link --------------------------------------------------------------------------------

    def _confirm_channel(self, until: float) -> ConfirmChannel:
        connection = self._link.connection(until)
        if connection is not self._connection:
            self._connection, self._channel = connection, None
        if self._channel is None:
            self._channel = ConfirmChannel(connection, self._report)
        return self._channel

    def _report(self, slot: int, outcome: Outcome) -> None:
        self._batch.report(slot, outcome)

    def _drop(self) -> None:
        self._link.drop()
        self._connection = self._channel = None

    def _why(self, error: BaseException) -> str:
        if self._link.blocked:
            return "the broker blocks publishing: it is short of memory or disk (see its alarms)"
        if isinstance(error, TimeoutError) and not isinstance(error, Unavailable):
            return f"the broker did not answer within {self.options.confirm_timeout:g} s"
        return str(error) or type(error).__name__

    def _depth(self, queue: str) -> int | None:
        """On a channel of its own: to ask for a queue that is not there closes it."""
        try:
            channel = self._link.connection(monotonic() + self.options.confirm_timeout).channel()
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except ChannelError:
                return None
            finally:
                channel.close()
        except LINK_ERRORS:
            self._drop()
            return None


class _Batch:
    """What one call of ``publish`` is about: the messages, what is known of them, what still waits."""

    def __init__(self, messages: Sequence[Message], until: float) -> None:
        self.messages = messages
        self.until = until
        self.outcomes: list[Outcome | None] = [None] * len(messages)
        self.waiting = deque(range(len(messages)))
        self.careful = False
        """Whether there are suspects: published one at a time, to find who closed the channel."""
        self._last_suspect = -1
        self._closed_exchanges: dict[str, str] = {}

    def next(self) -> int | None:
        """The slot to publish next. None: its exchange is not to be had."""
        slot = self.waiting.popleft()
        return None if self.messages[slot].destination in self._closed_exchanges else slot

    def report(self, slot: int, outcome: Outcome) -> None:
        self.outcomes[slot] = outcome
        if slot >= self._last_suspect:
            self.careful = False

    def blame(self, suspects: list[int], error: ChannelError) -> None:
        """The broker closed the channel over one of ``suspects``, and has forgotten those after it."""
        if not suspects:
            raise error
        if len(suspects) == 1:
            self.careful = False
            self._convict(suspects[0], error)
        else:
            self.careful, self._last_suspect = True, suspects[-1]
            self.waiting.extendleft(reversed(suspects))

    def _convict(self, slot: int, error: ChannelError) -> None:
        exchange, why = self.messages[slot].destination, error.reply_text
        if isinstance(error, NotFound):
            self._closed_exchanges[exchange] = f"{why}: {APPLY}"
        elif isinstance(error, AccessRefused) and "access to exchange" in why:
            self._closed_exchanges[exchange] = f"{why}: grant this user the right to write to it"
        else:
            self.report(slot, Outcome("refused", why))

    def finished(self) -> Sequence[Outcome]:
        """All outcomes. Raises Unavailable if exchanges were not to be had."""
        if self._closed_exchanges:
            raise Unavailable("; ".join(self._closed_exchanges.values()), self.outcomes)
        return [outcome for outcome in self.outcomes if outcome is not None]
