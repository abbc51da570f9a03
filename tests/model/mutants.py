"""Mutants: eventbridge with one promise broken. A model that does not find them would not find the like in earnest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from eventbridge.models import DeadLetter
from eventbridge.models.inbox import InboxQuerySet, Key
from eventbridge.obituary import obituary
from eventbridge.relay import Relay
from eventbridge.transports import UNROUTABLE
from eventbridge.transports.database import _Leased, _Note
from eventbridge.transports.rabbitmq import delivery as deliveries
from eventbridge.transports.rabbitmq.confirms import ConfirmChannel
from eventbridge.transports.rabbitmq.delivery import RabbitDelivery
from eventbridge.worker import Attempt, Worker

Mutant = Callable[[pytest.MonkeyPatch], None]


# --- the relay's side ---


def a_nack_is_read_as_a_confirm(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ConfirmChannel, "_on_nack", ConfirmChannel._on_ack)


def what_comes_back_is_taken_for_confirmed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ConfirmChannel, "_on_return", lambda *_: None)


def what_was_optional_is_all(patch: pytest.MonkeyPatch) -> None:
    """An unroutable event is done, whatever its type says."""
    patch.setattr(
        "eventbridge.relay._is_done", lambda _, outcome: outcome.state == "confirmed" or outcome == UNROUTABLE
    )


def a_row_is_deleted_before_it_is_confirmed(patch: pytest.MonkeyPatch) -> None:
    publish = Relay._publish

    def hasty(self: Relay, entries: Sequence[Any]) -> Any:
        self._outbox.done([entry.id for entry in entries])
        return publish(self, entries)

    patch.setattr(Relay, "_publish", hasty)


def a_relay_trusts_its_lease_for_ever(patch: pytest.MonkeyPatch) -> None:
    leads = Relay._leads
    patch.setattr(Relay, "_leads", lambda self: self._token is not None or leads(self))


# --- the consumer's side ---


def the_inbox_is_not_asked(patch: pytest.MonkeyPatch) -> None:
    claim = InboxQuerySet.claim

    def claims_anyway(self: InboxQuerySet, consumer: str, keys: Sequence[Key]) -> set[Key]:
        claim(self, consumer, keys)
        return set(keys)

    patch.setattr(InboxQuerySet, "claim", claims_anyway)


def it_is_acknowledged_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    handle = Worker._handle_once

    def hasty(self: Worker, attempts: Sequence[Attempt]) -> list[Attempt]:
        for attempt in attempts:
            attempt.delivery.ack()
        return handle(self, attempts)

    patch.setattr(Worker, "_handle_once", hasty)


def a_retry_is_settled_before_it_is_stored(patch: pytest.MonkeyPatch) -> None:
    def hasty(self: RabbitDelivery, after: float) -> None:
        if self._ledger.claim(self._tag):
            self._ledger.settle(self._tag, requeue=False)
            self._store(after)

    patch.setattr(RabbitDelivery, "retry", hasty)


def a_dead_letter_is_acknowledged_before_its_commit(patch: pytest.MonkeyPatch) -> None:
    def hasty(self: Worker, delivery: Any, event: Any, reason: Any, error: Any, attempts: int | None = None) -> None:
        attempts = delivery.attempt if attempts is None else attempts
        delivery.ack()
        letter = obituary(self.consumer.name, delivery.message, event, reason, error, attempts, self.consumer.redact)
        self._unmark(delivery, event)
        self.patiently.on_our_own(lambda: DeadLetter.objects.bury(letter))

    patch.setattr(Worker, "_bury", hasty)


def what_is_handed_back_is_charged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_Leased, "release", lambda self: self._subscriber.settle(_Note(self._pk, charge=1)))


def a_certificate_of_death_is_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tests.model.broker.as_message", _with_deaths)
    patch.setattr(deliveries, "_attempt", lambda headers: 1 + int(headers.get("deaths", 0)))


def _with_deaths(method: Any, properties: Any, body: bytes) -> Any:
    message = deliveries.as_message(method, properties, body)
    deaths = sum(death.get("count", 0) for death in (properties.headers or {}).get("x-death", []))
    message.headers["deaths"] = deaths  # type: ignore[index]
    return message
