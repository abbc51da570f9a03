"""How a dead letter is written: the whole message, and the story of its end."""

from __future__ import annotations

import hashlib
import math
import traceback
from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any

from django.db.models.functions import Now

from eventbridge.event import Event
from eventbridge.models import DeadLetter
from eventbridge.redaction import HIDDEN, WITHHELD, hidden, kind_of, stack
from eventbridge.transports import ATTEMPT_HEADER, Message

_LONGEST_STORY = 20_000
_ATTRIBUTES = ("cloudevents", "ce-")


def obituary(
    consumer: str,
    message: Message,
    event: Event[Any] | None,
    reason: DeadLetter.Reason,
    error: BaseException,
    attempts: int,
    redact: Sequence[str] = (),
) -> DeadLetter:
    """The dead letter of a message, not yet saved. ``event`` is None if it could not be read."""
    redacted = hidden(redact, event)
    subject = event.subject if event else None
    named = event or message
    return DeadLetter(
        consumer=consumer,
        fingerprint=_fingerprint(message, {consumer, event.type if event else ""}),
        event_id=_text(named.id, 255),
        source=_text(named.source, 255),
        type=_text(named.type, 255),
        subject=HIDDEN if subject and "subject" in redacted else _text(subject or "", 255),
        routing_key=_text(message.routing_key, 255),
        content_type=_text(message.content_type, 255),
        headers=_headers(message),
        body=message.body,
        reason=reason,
        redacted=redacted,
        attempts=attempts,
        died_at=Now(),
        **_end(error, redact),
    )


def _headers(message: Message) -> dict[str, Any]:
    """But for the attempt, which a replay counts anew."""
    return {_text(name, 255): _scalar(value) for name, value in message.headers.items() if name != ATTEMPT_HEADER}


def _end(error: BaseException, redact: Sequence[str]) -> dict[str, str]:
    """What it died of, in the letter's fields."""
    return {
        "exception": _text(kind_of(error), 255),
        "error": WITHHELD if redact else _text(words(error), _LONGEST_STORY),
        "traceback": _text(_story(error, redact)[-_LONGEST_STORY:], _LONGEST_STORY),
    }


def _story(error: BaseException, redact: Sequence[str]) -> str:
    return stack(error) if redact else "".join(traceback.format_exception(error))


def words(error: BaseException) -> str:
    """What an exception says; its name, if it says nothing or cannot say it."""
    try:
        return str(error) or type(error).__name__
    except Exception:
        return type(error).__name__


def _fingerprint(message: Message, rightful: Collection[str]) -> str:
    """All that makes the message what it is, so that another one never takes its place.

    The routing key too, but for the two by which it may come: a forgery under its own key must not be what is
    replayed in the place of the event that it copies. As the letter keeps them, so that a replay has the same.
    """
    key = "" if message.routing_key in rightful else _text(message.routing_key, 255)
    kept = [("content type", _text(message.content_type, 255)), ("routing key", key)]
    attributes = [(_text(n, 255), _scalar(v)) for n, v in message.headers.items() if n.lower().startswith(_ATTRIBUTES)]
    digest = hashlib.sha256(message.body)
    for name, value in (*kept, *sorted(attributes, key=itemgetter(0))):
        digest.update(f"\x00{name}={value}".encode())
    return digest.hexdigest()


def _scalar(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # which JSON has no number for
    return _text(value, _LONGEST_STORY) if isinstance(value, str) else value


def _text(value: str, longest: int) -> str:
    """What any database holds as text: no NUL, no lone surrogates."""
    clean = value.replace("\x00", "\N{SYMBOL FOR NULL}")
    return clean.encode("utf-8", "backslashreplace").decode()[:longest]
