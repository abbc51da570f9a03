"""The fuzzing client: puts messages on RabbitMQ's exchanges, or rows into the embedded broker."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

import amqp
import kombu

from tests.fuzz.drafts import Sent

_WINDOW = 200
TEXTS_OF_HEADERS = (
    *(
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": {"b": [1]}}',
        '{"a": null}',
        '{"\\u0000": "\\u0000"}',
        '{"\\ud800": "\\udfff"}',
    ),
    *(
        "[1]",
        "null",
        "7",
        "{",
        "a=b",
        "{'a': 1}",
        '{"a": ' + "9" * 5_000 + "}",
        "[" * 5_000,
        '{"a": 1, "a": 2}',
        '{"": true}',
    ),
    '{"eventbridge-attempt": 9223372036854775808}',
)


class Client(Protocol):
    def send(self, messages: Iterable[Sent]) -> None:
        """Hand all of them over. Raises where the broker takes one not at all: it is no test then."""

    def close(self) -> None: ...


class _Raw(amqp.Message):  # type: ignore[misc]
    """A message with properties of which py-amqp knows nothing."""

    def __init__(self, sent: Sent) -> None:
        super().__init__(sent.body)
        self._raw = sent.properties

    def _serialize_properties(self) -> bytes:
        return self._raw


class Exchange:
    """Straight to RabbitMQ, mandatory, with confirms."""

    def __init__(self, url: str) -> None:
        self._connection = kombu.Connection(url)
        self._channel = self._connection.default_channel
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_return"].add(self._on_return)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._published = 0
        self._waiting: set[int] = set()
        self._returned: list[Any] = []

    def send(self, messages: Iterable[Sent]) -> None:
        for window in _windows(messages):
            try:
                self._publish(window)
            except (OSError, amqp.AMQPError) as error:
                named = ", ".join(f"{sent.n} ({' '.join(sent.recipes)})" for sent in window)
                raise AssertionError(f"the broker takes one of these not: {error}: {named}") from error
        assert not self._returned, f"nobody wanted what was meant for somebody: {self._returned[:3]}"

    def _publish(self, window: list[Sent]) -> None:
        for sent in window:
            self._channel.basic_publish(_Raw(sent), sent.exchange, sent.key, mandatory=True)
            self._published += 1
            self._waiting.add(self._published)
        while self._waiting:
            self._connection.drain_events(timeout=60)

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._waiting = {waiting for waiting in self._waiting if waiting > tag} if multiple else self._waiting - {tag}

    def _on_nack(self, tag: int, multiple: bool) -> None:
        raise AssertionError(f"the broker did not take message {tag}")

    def _on_return(self, why: Any, exchange: str, key: str, message: Any) -> None:
        self._returned.append((exchange, key))

    def close(self) -> None:
        self._connection.release()


class Rows:
    """As whoever may write to the embedded broker's table could do it, past the publisher."""

    def send(self, messages: Iterable[Sent]) -> None:
        from eventbridge.models import BrokerMessage

        for window in _windows(messages):
            BrokerMessage.objects.put([row for sent in window for row in self._rows(sent)])

    def _rows(self, sent: Sent) -> Iterator[Any]:
        from eventbridge.models.broker import NewMessage

        for queue in sent.consumers:
            yield NewMessage(
                queue=queue,
                routing_key=_text(sent.key),
                message_id=_text(sent.names.get("message_id", "")),
                type=_text(sent.names.get("type", "")),
                source=_text(sent.names.get("app_id", "")),
                content_type=_text(sent.content_type),
                headers=text_of_headers(sent),
                body=sent.body,
            )

    def close(self) -> None:
        """Nothing is open."""


def has_odd_headers(sent: Sent) -> bool:
    """Whether a row's headers are a text that we would not write. Not in binary mode, where they are the event."""
    return sent.n % 20 == 0 and not any(name.lower().startswith(("ce-", "cloudevents")) for name in sent.shown)


def text_of_headers(sent: Sent) -> str:
    if has_odd_headers(sent):
        return TEXTS_OF_HEADERS[sent.n // 20 % len(TEXTS_OF_HEADERS)]
    return json.dumps(sent.shown, default=lambda _: 1.5) if sent.shown else ""


def _text(value: str) -> str:
    """What PostgreSQL lets into a column of 255 characters."""
    return value.replace("\x00", "")[:255]


def _windows(messages: Iterable[Sent]) -> Iterator[list[Sent]]:
    remaining = iter(messages)
    while window := list(islice(remaining, _WINDOW)):
        yield window
