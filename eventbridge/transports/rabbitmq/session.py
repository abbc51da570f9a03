"""Session: one pika connection and channel that consumes a queue, driven by one thread.

It is a ``SelectConnection`` whose loop we turn ourselves, which is what ``BlockingConnection`` does,
but with our own deadlines: BlockingConnection's calls wait for their reply without a limit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from pika.adapters.select_connection import IOLoop
from pika.exceptions import AMQPError

from eventbridge.errors import Unavailable
from eventbridge.topology import Queue
from eventbridge.transports import Message, Options
from eventbridge.transports.rabbitmq.connection import endpoints
from eventbridge.transports.rabbitmq.delivery import as_message
from eventbridge.transports.rabbitmq.ledger import Ledger
from eventbridge.transports.rabbitmq.wire import Wire, parameters, reason

_BREATH = 0.01
"""Seconds for which the link may go unserved while messages are at hand."""


class Session:
    """Consumes ``queue`` on a connection of its own, until it is lost; then it stays lost.

    For the thread that made it; ``ledger`` is for any thread. Raises Unavailable when it cannot begin.
    """

    def __init__(self, options: Options, queue: Queue, prefetch: int) -> None:
        self._options = options
        self._queue = queue
        self._prefetch = prefetch
        self._loop = IOLoop()
        self._lost = ""
        self._consuming = False
        self._inbox: deque[tuple[int, bool, Message]] = deque()
        self.ledger = Ledger(lambda: self._loop.add_callback_threadsafe(self._flush))
        self._connection: Any = None
        self._channel: Any = None
        self._turned = monotonic()
        self._heard = (0, self._turned)
        self._open()

    # --- beginning -------------------------------------------------------------------------------

    def _open(self) -> None:
        self._loop.activate_poller()
        brokers = endpoints(self._options)
        patience = self._options.connect_timeout * len(brokers) + self._options.confirm_timeout
        until = monotonic() + patience
        made: list[Any] = []
        tried = [parameters(broker, self._options) for broker in brokers]
        workflow = Wire.create_connection(tried, made.append, self._loop)
        self._turn_until(lambda: bool(made), until)
        if not made:
            workflow.abort()
        elif not isinstance(made[0], BaseException):
            self._connection = made[0]
            self._consume()
            self._turn_until(lambda: self._consuming, until)
        if not self._consuming:
            why = self._lost or (reason(made[0]) if made else "no answer")
            self._abandon()
            raise Unavailable(why)

    def _consume(self) -> None:
        self._connection.add_on_close_callback(lambda _, why: self._lose(reason(why)))
        self._channel = self._connection.channel(on_open_callback=self._on_channel_open)
        self._channel.add_on_close_callback(lambda _, why: self._lose(reason(why)))
        self._channel.add_on_cancel_callback(lambda _: self._lose(f"queue {self._queue.name!r} was deleted or moved"))

    def _on_channel_open(self, channel: Any) -> None:
        channel.basic_qos(prefetch_count=self._prefetch, global_qos=False)
        self._tag = channel.basic_consume(self._queue.name, self._on_message, callback=self._on_consuming)

    def _on_consuming(self, _frame: Any) -> None:
        self._consuming = True

    def _on_message(self, _channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.ledger.arrived(method.delivery_tag)
        self._inbox.append((method.delivery_tag, method.redelivered, as_message(method, properties, body)))

    # --- turning the loop ------------------------------------------------------------------------

    def next(self, wait: float) -> tuple[int, bool, Message] | None:
        """The next message as (tag, redelivered, message), or None after ``wait`` seconds.

        Raises Unavailable once the session is lost.
        """
        now = monotonic()
        if now - self._turned > _BREATH:
            self._turn(0)
        self._turn_until(lambda: bool(self._inbox), now + wait)
        if self._lost:
            self._abandon()
            raise Unavailable(self._lost)
        return self._inbox.popleft() if self._inbox else None

    def _turn_until(self, done: Callable[[], bool], until: float) -> None:
        while not done() and not self._lost and (left := until - monotonic()) > 0:
            self._turn(left)

    def _turn(self, wait: float) -> None:
        """Serve the link until something happens, for at most ``wait`` seconds."""
        alarm = self._loop.call_later(wait, _nothing)
        try:
            self._loop.poll()
            self._loop.process_timeouts()
        except Exception as error:
            self._lose(reason(error))
        self._loop.remove_timeout(alarm)
        self._turned = monotonic()
        self._listen()

    def _listen(self) -> None:
        """pika notices silence after up to 2 x (heartbeat + 5 s) (pika/heartbeat.py); we do after two."""
        if self._connection is None or not self._options.heartbeat:
            return
        count, since = self._heard
        if count != self._connection.bytes_received:
            self._heard = (self._connection.bytes_received, self._turned)
        elif self._turned - since > 2 * self._options.heartbeat:
            self._lose("the broker has been silent for two heartbeats")

    def _lose(self, why: str) -> None:
        self._lost = self._lost or why

    def _flush(self) -> None:
        """Tell the broker what was settled. Only this thread may speak to it."""
        together, singly, back = self.ledger.carry_out()
        if self._lost:
            return
        if together:
            self._channel.basic_ack(together, multiple=True)
        for tag in singly:
            self._channel.basic_ack(tag)
        for tag in back:
            self._channel.basic_nack(tag, requeue=True)

    # --- ending ----------------------------------------------------------------------------------

    def close(self, deadline: float) -> None:
        """Take nothing new, wait for what is held, hand the rest back, go; within ``deadline`` seconds."""
        until = monotonic() + deadline
        if not self._lost:
            if not self._queue.ordered:
                self._take_nothing_new()
            self._turn_until(lambda: len(self.ledger) == len(self._inbox), until - min(1.0, deadline / 2))
        if not self._lost:
            self._leave_in_order(until) if self._queue.ordered else self._say_goodbye(until)
        self._abandon()

    def _take_nothing_new(self) -> None:
        self._channel.basic_cancel(self._tag)
        while self._inbox:
            self.ledger.settle(self._inbox.popleft()[0], requeue=True)

    def _say_goodbye(self, until: float) -> None:
        if self.ledger:
            # By nack, since 4.3 counts a requeue by anything else as a failed delivery.
            self._channel.basic_nack(self.ledger.newest, multiple=True, requeue=True)
        self._connection.close()
        self._turn_until(lambda: bool(self._connection.is_closed), until)

    def _leave_in_order(self, until: float) -> None:
        """Without a cancel: the next consumer of an ordered queue would begin at once, with what comes
        after that which is still held here. So wait until the broker has read the acknowledgements,
        and hang up: then it takes back first what was held.
        """
        read: list[Any] = []
        self._channel.basic_qos(prefetch_count=self._prefetch, callback=read.append)
        self._turn_until(lambda: bool(read), until)

    def _abandon(self) -> None:
        """Whatever is settled from now on is settled in vain: the broker takes everything back."""
        self._lose("it was closed")
        self.ledger.close()
        connection = self._connection
        if connection is not None and not connection.is_closed:
            with suppress(Exception):
                connection._terminate_stream(AMQPError(self._lost))  # noqa: SLF001 there is no public abort
                self._turn(0)
                self._turn(0)
        self._loop.close()


def _nothing() -> None:
    """Only to be woken."""
