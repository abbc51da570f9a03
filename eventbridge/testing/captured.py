"""What was emitted so far, read from the database: the outbox, and what ``deliver`` took out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, overload

from django.db import connections, router
from django.test.testcases import DatabaseOperationForbidden  # type: ignore[attr-defined]

from eventbridge.event import Event, event_type_of, event_types
from eventbridge.models import BrokerMessage, OutboxEntry
from eventbridge.models.broker import NewMessage
from eventbridge.topology import matches
from eventbridge.transports import Message
from eventbridge.wire import decode, with_sequence

T = TypeVar("T")

_DELIVERED = "eventbridge.testing"
"""A queue of the embedded broker's that no consumer can have: rows, so that a rollback takes them along."""


@overload
def captured_events(what: type[T], /, *, using: str | None = None) -> list[Event[T]]: ...
@overload
def captured_events(what: str = "#", /, *, using: str | None = None) -> list[Event[Any]]: ...
def captured_events(what: Any = "#", /, *, using: str | None = None) -> list[Event[Any]]:
    """The events that were emitted so far, in their order, whether ``deliver`` has handled them or not.

    ``what`` is an event type's class or a topic pattern (``"shop.order.#"``), by default any. Each is
    read from its bytes, as a consumer would: ``data`` is an instance of the class, or plain JSON
    where this process knows no class of that name. ``using`` names one database; by default it is
    each one with an outbox that the test may use, one after the other.

    What was rolled back is not there, nor what a real relay took. Call it in the test's own thread.
    Raises MalformedMessage where an event does not fit the class.
    """
    pattern = pattern_of(what)
    events = [decode(Message(destination="", routing_key="", body=body)) for body in _bodies(using)]
    return [event.read_as(_class_of(event.type, what)) for event in events if matches(pattern, event.type)]


def forget_events(*, using: str | None = None) -> None:
    """Forget what was emitted so far, by what a test prepares: it is neither captured nor delivered any more.

    ``using`` names one database; by default it is each one with an outbox that the test may use.
    """
    for alias in outboxes(using):
        OutboxEntry.objects.using(alias).all().delete()
        BrokerMessage.objects.using(alias).filter(queue=_DELIVERED).delete()


def pattern_of(what: type[Any] | str) -> str:
    """The topic pattern that an event type's class, or a pattern, stands for. Raises TypeError for anything else."""
    return what if isinstance(what, str) else event_type_of(what).name


def outboxes(using: str | None) -> list[str]:
    """That database; or each one that has an outbox and that the running test may use."""
    if using is not None:
        return [using]
    aliases = [alias for alias in connections if _has_an_outbox(alias)]
    allowed = [alias for alias in aliases if _is_allowed(alias)]
    if not allowed:
        OutboxEntry.objects.using(aliases[0]).exists()  # raises, and says how to allow it
    return allowed


def keep(alias: str, messages: Sequence[Message]) -> None:
    """Remember what was taken out of that outbox."""
    rows = [NewMessage(_DELIVERED, m.routing_key, m.id, m.type, m.source, m.content_type, "", m.body) for m in messages]
    BrokerMessage.objects.using(alias).put(rows)


def _has_an_outbox(alias: str) -> bool:
    mirrored = connections[alias].settings_dict["TEST"]["MIRROR"]
    return not mirrored and router.allow_migrate_model(alias, OutboxEntry)


def _is_allowed(alias: str) -> bool:
    """Whether the test's ``databases`` name it: only asking tells, under unittest and pytest-django alike."""
    try:
        OutboxEntry.objects.using(alias).exists()
    except DatabaseOperationForbidden:
        return False
    return True


def _bodies(using: str | None) -> list[bytes]:
    found: list[bytes] = []
    for alias in outboxes(using):
        delivered = BrokerMessage.objects.using(alias).filter(queue=_DELIVERED).order_by("id")
        waiting = OutboxEntry.objects.using(alias).order_by("id")
        found += map(bytes, delivered.values_list("body", flat=True))
        found += [with_sequence(body.encode(), pk) for pk, body in waiting.values_list("pk", "body")]
    return found


def _class_of(name: str, what: type[Any] | str) -> type[Any] | None:
    if not isinstance(what, str):
        return what
    return next((kind.payload for kind in event_types.values() if kind.name == name), None)
