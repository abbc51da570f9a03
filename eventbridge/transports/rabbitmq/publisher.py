"""Publisher: pipelined confirms over kombu's connection; an outcome per message."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

import amqp
from amqp.exceptions import AccessRefused, ChannelError, NotFound

from eventbridge.errors import Unavailable
from eventbridge.transports import Message, Options, Outcome
from eventbridge.transports.rabbitmq.confirms import ConfirmChannel, FrameBuffer, Unencodable
from eventbridge.transports.rabbitmq.connection import LINK_ERRORS, connect

WINDOW = 1_000
"""Messages that may wait for their confirm at a time."""
APPLY = "run `manage.py eventbridge topology --apply`"


class Publisher:
    """Publishes to RabbitMQ, and believes nothing but the broker's own confirm for its own tag.

    It connects when first used. After any doubt (a time-out, a lost link, an alarm) it throws the
    connection away, so that no late confirm can be taken for that of a later message.

    Unlike the contract asks, it may be shared by threads: their calls take turns. A thread of its
    own serves heartbeats while it is idle.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._turn = threading.Lock()
        self._closed = threading.Event()
        self._link: amqp.Connection | None = None
        self._channel: ConfirmChannel | None = None
        self._batch: _Batch | None = None
        self._proven = False
        self._blocked = False
        self._process = os.getpid()

    def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Publish in order; return one outcome per message, in the same order.

        Returns within ``confirm_timeout`` seconds. Raises Unavailable, with the outcomes known so
        far, when a broker, or an exchange as a whole, was not to be had. An exchange that does not
        exist, or that this user may not write to at all, is nobody's event's fault: such messages
        are not refused, they wait.
        """
        batch = _Batch(messages, monotonic() + self.options.confirm_timeout)
        if not self._turn.acquire(timeout=self.options.confirm_timeout):
            raise Unavailable("another thread waits for the broker", batch.outcomes)
        try:
            return self._publish(batch)
        finally:
            self._batch = None
            self._turn.release()

    def _publish(self, batch: _Batch) -> Sequence[Outcome]:
        self._batch = batch
        try:
            while batch.waiting:
                self._pipeline(batch)
        except (Unavailable, *LINK_ERRORS) as error:
            blocked = self._blocked
            self._drop()
            raise Unavailable(_why(error, blocked), batch.outcomes) from error
        return batch.finished()

    def _pipeline(self, batch: _Batch) -> None:
        """Publish what waits, a window at a time, until all is answered or the channel is closed."""
        channel = self._ready()
        try:
            while batch.waiting or channel:
                self._fill(channel, batch)
                self._collect(channel, batch)
        except ChannelError as error:
            self._channel = None
            batch.blame(channel.slots, error)
            channel.close()

    def _fill(self, channel: ConfirmChannel, batch: _Batch) -> None:
        window = WINDOW if self._proven and not batch.careful else 1
        while batch.waiting and len(channel) < window:
            slot = batch.next()
            if slot is None:
                continue
            try:
                channel.publish(slot, batch.messages[slot])
            except Unencodable as error:
                batch.report(slot, Outcome("refused", f"AMQP cannot carry it: {error}"))
        channel.flush()

    def _collect(self, channel: ConfirmChannel, batch: _Batch) -> None:
        """Read until half the window is free again, or, when nothing more waits, until all is known."""
        enough = WINDOW // 2 if batch.waiting and not batch.careful and self._proven else 0
        while len(channel) > enough:
            channel.read(batch.until)
            self._proven = True

    # --- the link --------------------------------------------------------------------------------

    def _ready(self) -> ConfirmChannel:
        """A channel on a live link. A new link proves itself with one message before it gets a window:
        a blocked broker keeps what it reads, and each attempt would leave it a window of duplicates.
        """
        if self._closed.is_set():
            raise Unavailable("the publisher is closed")
        if self._process != os.getpid():  # a fork shares the socket: forget it, never shut it down
            self._process, self._link, self._channel = os.getpid(), None, None
        if self._link is not None and self._channel is not None:
            return self._channel
        if self._link is None:
            self._link = self._connect()
        self._channel = ConfirmChannel(self._link, self._report)
        return self._channel

    def _connect(self) -> amqp.Connection:
        self._proven = self._blocked = False
        events = {"on_blocked": self._on_blocked, "on_unblocked": self._on_unblocked}
        link = connect(self.options, "publisher", {"frame_writer": FrameBuffer, **events})
        # py-amqp reads the socket before every publish where this is announced, which costs a
        # quarter of the speed (amqp/channel.py, _basic_publish). The broker has been told: it still
        # notifies us, and we read at the end of every window.
        link.client_properties["capabilities"]["connection.blocked"] = False
        return link

    def _report(self, slot: int, outcome: Outcome) -> None:
        if self._batch is not None:
            self._batch.report(slot, outcome)

    def _on_blocked(self, _reason: str) -> None:
        self._blocked = True

    def _on_unblocked(self) -> None:
        self._blocked = False

    def _drop(self) -> None:
        """Throw the link away without a word: a goodbye to a blocked broker waits for ever."""
        link, self._link, self._channel = self._link, None, None
        if link is not None:
            with suppress(*LINK_ERRORS, AttributeError):
                link.collect()

    def close(self, deadline: float) -> None:
        """Close within ``deadline`` seconds, whatever state the link is in. It is of no use then."""
        self._closed.set()
        self._drop()

    def depth(self, queue: str) -> int | None:
        """Messages that wait in ``queue``. None: it is not there, or the broker is not."""
        return None


def _why(error: BaseException, blocked: bool) -> str:
    if blocked:
        return "the broker blocks publishing: it is short of memory or disk (see its alarms)"
    if isinstance(error, TimeoutError):
        return "the broker did not confirm in time"
    return str(error) or type(error).__name__


class _Batch:
    """What one call of ``publish`` is about: the messages, what is known, what still waits."""

    def __init__(self, messages: Sequence[Message], until: float) -> None:
        self.messages = messages
        self.until = until
        self.outcomes: list[Outcome | None] = [None] * len(messages)
        self.waiting = deque(range(len(messages)))
        self.careful = 0
        """So many of those in front are suspects: one at a time, to find who closed the channel."""
        self._missing: dict[str, str] = {}

    def next(self) -> int | None:
        """The slot to publish next. None: its exchange is not to be had, it waits for another day."""
        slot = self.waiting.popleft()
        self.careful = max(self.careful - 1, 0)
        return None if self.messages[slot].destination in self._missing else slot

    def report(self, slot: int, outcome: Outcome) -> None:
        self.outcomes[slot] = outcome

    def blame(self, suspects: list[int], error: ChannelError) -> None:
        """The broker closed the channel over one of ``suspects``, and forgot those after it."""
        if len(suspects) == 1:
            self.careful = 0
            return self._convict(suspects[0], error)
        if not suspects:
            raise error
        self.waiting.extendleft(reversed(suspects))
        self.careful = len(suspects)

    def _convict(self, slot: int, error: ChannelError) -> None:
        exchange = self.messages[slot].destination
        if isinstance(error, NotFound):
            self._missing[exchange] = f"{error.reply_text}: {APPLY}"
        elif isinstance(error, AccessRefused) and "access to exchange" in error.reply_text:
            self._missing[exchange] = f"{error.reply_text}: grant its user that right"
        else:
            self.report(slot, Outcome("refused", error.reply_text))

    def finished(self) -> Sequence[Outcome]:
        if self._missing:
            raise Unavailable("; ".join(self._missing.values()), self.outcomes)
        return [outcome for outcome in self.outcomes if outcome is not None]
