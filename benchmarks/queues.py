"""Queues: what a bench asks the broker, on a connection of its own."""

from __future__ import annotations

import kombu

QUORUM = {"x-queue-type": "quorum"}


class Queues:
    """Quorum queues of one virtual host. For one thread."""

    def __init__(self, url: str) -> None:
        self._connection = kombu.Connection(url, heartbeat=0)
        self._channel = self._connection.default_channel

    def declare(self, name: str, exchange: str = "", key: str = "#", exchange_type: str = "topic") -> None:
        """A durable quorum queue, bound to an exchange if one is named."""
        self._channel.queue_declare(name, durable=True, auto_delete=False, arguments=QUORUM)
        if exchange:
            self._channel.exchange_declare(exchange, exchange_type, durable=True, auto_delete=False)
            self._channel.queue_bind(name, exchange, key)

    def depth(self, name: str) -> int:
        """How many messages are ready there."""
        return int(self._channel.queue_declare(name, passive=True).message_count)

    def exists(self, name: str) -> bool:
        try:
            self.depth(name)
        except self._connection.channel_errors:
            self._channel = self._connection.channel()
            return False
        return True

    def publish(self, exchange: str, key: str, body: bytes, headers: dict[str, str]) -> None:
        """A persistent message, without a confirm."""
        message = self._channel.prepare_message(
            body, content_type="application/json", headers=headers, properties={"delivery_mode": 2}
        )
        self._channel.basic_publish(message, exchange, key)

    def purge(self, name: str) -> None:
        self._channel.queue_purge(name)

    def delete(self, name: str) -> None:
        self._channel.queue_delete(name)

    def close(self) -> None:
        self._connection.release()
