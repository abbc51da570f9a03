"""Subscriber: what one queue delivers, by pika."""

from __future__ import annotations

from collections.abc import Iterator

from eventbridge.errors import Unavailable
from eventbridge.topology import Queue
from eventbridge.transports import Delivery, Options, Publisher
from eventbridge.transports.rabbitmq.delivery import RabbitDelivery
from eventbridge.transports.rabbitmq.session import Session


class Subscriber:
    """Consumes ``queue``: at most ``prefetch`` deliveries are unsettled at a time.

    Its link belongs to the thread that iterates :meth:`deliveries`; heartbeats are served there, so
    that thread must come back for the next delivery within ``heartbeat`` seconds. Deliveries are
    settled from any thread. ``retries`` publishes to the ladder, on a connection of its own: an
    alarm that blocks publishers must not stop acknowledgements.
    """

    def __init__(self, options: Options, queue: Queue, *, prefetch: int, retries: Publisher) -> None:
        self.options = options
        self.queue = queue
        self.prefetch = prefetch
        self.retries = retries
        self._session: Session | None = None

    def deliveries(self, wait: float) -> Iterator[Delivery | None]:
        """As the contract says. Iterate again after Unavailable to try anew."""
        if self._session is None:
            self._session = Session(self.options, self.queue, self.prefetch)
        session = self._session
        while True:
            try:
                arrived = session.next(wait)
            except Unavailable:
                self._session = None
                raise
            if arrived is None:
                yield None
            else:
                tag, redelivered, message = arrived
                yield RabbitDelivery(message, tag, redelivered, session.ledger, self.queue.name, self.retries)

    def close(self, deadline: float) -> None:
        """Take nothing new, wait for what is held to be settled, hand the rest back, close."""
        session, self._session = self._session, None
        if session is not None:
            session.close(deadline)
