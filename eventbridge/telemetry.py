"""What happens, as Django signals; logs are receivers of them, and so are metrics and traces.

Connect your own receivers to the signals below. They run in the thread in which the thing
happened, must be quick, and cannot stop it: what they raise is logged.
"""

from __future__ import annotations

import logging
from typing import Any

from django.dispatch import Signal, receiver

from eventbridge.conf import settings
from eventbridge.redaction import Withheld, kind_of
from eventbridge.wording import one_line, plain

logger = logging.getLogger("eventbridge")
_BRIEF = 500

creating = Signal()
"""``events`` (a list), ``using``: about to be recorded; a receiver may put another in an event's place."""
emitted = Signal()
"""``events``, ``using``: recorded in the outbox; the transaction may still roll back."""
invalid = Signal()
"""``type``, ``error``: an event does not fit its type, or is too large, and was not recorded. ``error`` is raised
where it was emitted; ``type`` is empty if a bridge returned no event at all."""
publishing = Signal()
"""``messages``, ``using``: a batch is about to be published; a receiver may add to their headers."""
published = Signal()
"""``entries``, ``outcomes``, ``seconds``, ``using``: what the broker said to each of a batch; None: nothing, or
no more was heard. What is neither confirmed, refused nor unwanted stays in the outbox."""
relayed = Signal()
"""``entries``, ``seconds``, ``using``: a batch was confirmed by the broker, or nobody wanted it."""
parked = Signal()
"""``entry``, ``reason``, ``using``: the broker will not take this event; see ``eventbridge outbox list``."""
ousted = Signal()
"""``using``, ``holder``: a relay's lease ran out while it held it, and another relay took it over. What it published
last may be published again."""
began = Signal()
"""``consumer``, ``event``, ``message``, ``attempt``: a handler is about to run, in this thread."""
ended = Signal()
"""``consumer``, ``event``, ``message``, ``attempt``, ``seconds``, ``error``: it returned (``""``), or raised
an exception of that class. Its transaction has yet to commit: that is ``handled``."""
hook_failed = Signal()
"""``consumer``, ``error``: a handler's ``transaction.on_commit`` hook failed; its work is committed all the same."""
handled = Signal()
"""``consumer``, ``event``, ``attempt``, ``seconds``, ``batch``: a handler did its work."""
duplicate = Signal()
"""``consumer``, ``event``, ``attempt``: it had been handled before, and was skipped."""
retried = Signal()
"""``consumer``, ``event``, ``message``, ``attempt``, ``after``, ``error``: it will be tried again."""
died = Signal()
"""``consumer``, ``letter``, ``event``: a message became a dead letter; ``event`` is None if it could not be read."""
replayed = Signal()
"""``letter``, ``using``: its consumer took up a dead letter that was marked for replay."""
hindered = Signal()
"""``daemon``, ``error``: the database or the broker is away, and the step will be tried again."""
overdue = Signal()
"""``consumer``, ``message``, ``seconds``, ``stack``: a handler ran past the timeout; the process exits."""
changed = Signal()
"""``daemon``, ``state``, ``why``: a daemon is starting, ready, waiting, standby, paused, stopping or failed; or it is
warned, and goes on. ``why`` is empty where there is nothing to say.

While it waits for the end of an outage, or is paused, it says so again, once a minute."""


def _say(level: int, text: str, *values: Any, **fields: Any) -> None:
    """A line of the log, whatever the values hold: no message can forge another one, or steer a terminal.

    The fields are for logs.py.
    """
    if logger.isEnabledFor(level):
        clean = (one_line(value) if isinstance(value, str) else value for value in values)
        logger.log(level, text, *clean, extra={"eventbridge": fields})


def _of(event: Any) -> dict[str, Any]:
    return {"event_id": event.id, "type": event.type, "traceparent": event.traceparent}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def system() -> str:
    """OpenTelemetry's name for the broker that is in use."""
    return "rabbitmq" if settings.BROKER_URL.startswith("amqp") else "eventbridge"


@receiver(relayed)
def _log_relayed(sender: Any, entries: Any, seconds: float, **kwargs: Any) -> None:
    told = {"outcome": "relayed", "count": len(entries), "duration_ms": _ms(seconds)}
    _say(logging.DEBUG, "relayed %d events in %.0f ms", len(entries), seconds * 1000, **told)


@receiver(parked)
def _log_parked(sender: Any, entry: Any, reason: str, **kwargs: Any) -> None:
    told = {"outcome": "parked", "event_id": entry.event_id, "type": entry.type, "reason": reason}
    _say(logging.ERROR, "parked %s %s: %s (see: eventbridge outbox list)", entry.type, entry.event_id, reason, **told)


@receiver(ousted)
def _log_ousted(sender: Any, using: str, **kwargs: Any) -> None:
    text = "another relay took over the outbox of %s before this one gave it back; some events may be published twice"
    _say(logging.WARNING, text, using, outcome="ousted", database=using)


@receiver(hook_failed)
def _log_hook_failed(sender: Any, consumer: Any, error: Exception, **kwargs: Any) -> None:
    text = "%s committed its work, then a transaction.on_commit hook failed, which is not tried again: %s"
    _say(logging.ERROR, text, consumer.name, brief(error), outcome="hook failed", consumer=consumer.name)


@receiver(handled)
def _log_handled(sender: Any, consumer: Any, event: Any, attempt: int, seconds: float, **kwargs: Any) -> None:
    _say(
        logging.INFO, "%s handled %s %s in %.0f ms (attempt %d)",
        consumer.name, event.type, event.id, seconds * 1000, attempt,
        outcome="handled", consumer=consumer.name, attempt=attempt, duration_ms=_ms(seconds), **_of(event),
    )  # fmt: skip


@receiver(duplicate)
def _log_duplicate(sender: Any, consumer: Any, event: Any, **kwargs: Any) -> None:
    told = {"outcome": "duplicate", "consumer": consumer.name, **_of(event)}
    _say(logging.INFO, "%s skipped %s %s: handled before", consumer.name, event.type, event.id, **told)


@receiver(retried)
def _log_retried(
    sender: Any, consumer: Any, event: Any, message: Any, attempt: int, after: float, error: Any, **kwargs: Any
) -> None:
    told = {"outcome": "retried", "consumer": consumer.name, "attempt": attempt, **_of(event)}
    _say(
        logging.WARNING, "%s failed on %s %s (attempt %d), next attempt in %g s: %s",
        consumer.name, message.type, message.id, attempt, after, brief(error),
        **{"after": after, "error.type": error.kind if isinstance(error, Withheld) else kind_of(error), **told},
    )  # fmt: skip


@receiver(died)
def _log_died(sender: Any, consumer: Any, letter: Any, **kwargs: Any) -> None:
    verdict = "rejected" if letter.reason == letter.Reason.REJECTED else "gave up on"
    told = {
        "event_id": letter.event_id,
        "type": letter.type,
        "attempt": letter.attempts,
        "error.type": letter.exception,
    }
    _say(
        logging.ERROR, "%s %s %s %s in attempt %d, it is a dead letter now: %s",
        consumer.name, verdict, letter.type or "a message", letter.event_id, letter.attempts,
        letter.error[:_BRIEF], outcome="dead", consumer=consumer.name, reason=str(letter.reason), **told,
    )  # fmt: skip


def brief(error: BaseException) -> str:
    """An exception in a line; some cannot even say what they are."""
    try:
        return repr(error)[:_BRIEF]
    except Exception:
        return type(error).__name__


@receiver(replayed)
def _log_replayed(sender: Any, letter: Any, **kwargs: Any) -> None:
    again = "%s takes up dead letter %s again: %s %s"
    told = {"consumer": letter.consumer, "event_id": letter.event_id, "type": letter.type}
    _say(logging.INFO, again, letter.consumer, letter.pk, letter.type, letter.event_id, outcome="replayed", **told)


@receiver(overdue)
def _log_overdue(sender: Any, consumer: Any, message: Any, seconds: float, stack: str, **kwargs: Any) -> None:
    logger.critical(
        "%s has been handling %s %s for %.0f s, longer than its timeout; this process exits. It was at:\n%s",
        consumer.name, one_line(message.type), one_line(message.id), seconds, plain(stack, keep="\n"),
        extra={"eventbridge": {"outcome": "overdue", "consumer": consumer.name, "event_id": message.id}},
    )  # fmt: skip


@receiver(changed)
def _log_changed(sender: Any, daemon: str, state: str, why: str, **kwargs: Any) -> None:
    level = {"waiting": logging.WARNING, "warned": logging.WARNING, "failed": logging.CRITICAL}.get(state, logging.INFO)
    told = {"daemon": daemon, "state": state, "why": why or None}
    _say(level, "%s is %s%s", daemon, state, f": {why}" if why else "", **told)
