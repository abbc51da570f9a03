"""Queues: what a bench asks the broker, on a connection of its own."""

from __future__ import annotations

import kombu

QUORUM = {"x-queue-type": "quorum"}


class Queues:
    """Quorum queues of one virtual host. For one thread."""

    def __init__(self, url: str) -> None:
        self._connection = kombu.Connection(url, heartbeat=0)
        self._channel = self._connection.default_channel

    def declare(self, name: str, exchange: str = "", key: str = "#") -> None:
        """A durable quorum queue, bound to a topic exchange if one is named."""
        self._channel.queue_declare(name, durable=True, auto_delete=False, arguments=QUORUM)
        if exchange:
            self._channel.exchange_declare(exchange, "topic", durable=True, auto_delete=False)
            self._channel.queue_bind(name, exchange, key)

    def depth(self, name: str) -> int:
        """How many messages are ready there."""
        return int(self._channel.queue_declare(name, passive=True).message_count)

    def purge(self, name: str) -> None:
        self._channel.queue_purge(name)

    def delete(self, name: str) -> None:
        self._channel.queue_delete(name)

    def close(self) -> None:
        self._connection.release()
