"""What counts: receivers of our own signals. They run where the thing happened, and are quick."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

from django.db import DatabaseError, InterfaceError

from eventbridge import telemetry
from eventbridge.consumer import Consumer
from eventbridge.event import emitted_at
from eventbridge.metrics import series
from eventbridge.models import DeadLetter
from eventbridge.models.outbox import PendingEntry
from eventbridge.outage import Hindered
from eventbridge.topology import EVENTS
from eventbridge.transports import Outcome

_FINE = ("confirmed", "unwanted")
_away: set[str] = set()
"""Daemons that wait for the broker."""


def _on_emitted(sender: Any, events: Iterable[Any], using: str, **kwargs: Any) -> None:
    for name, number in Tally(event.type for event in events).items():
        series.emitted.labels(using, name).inc(number)


def _on_invalid(sender: Any, type: str, **kwargs: Any) -> None:  # noqa: A002 - the signal's argument
    series.violations.labels(series.known(type), "emit").inc()


def _on_published(
    sender: Any,
    entries: Sequence[PendingEntry],
    outcomes: Sequence[Outcome | None],
    seconds: float,
    using: str,
    **kwargs: Any,
) -> None:
    series.batches.labels(using).observe(len(entries))
    series.sending.labels(telemetry.system(), "publish", EVENTS).observe(seconds)
    now, lag = time.time(), series.lag.labels(using)
    tally: Tally[tuple[str, str]] = Tally()
    for entry, outcome in zip_longest(entries, outcomes):
        verdict = _verdict(entry, outcome)
        tally[entry.type, verdict] += 1
        if verdict == "confirmed":
            lag.observe(max(0.0, now - emitted_at(entry.event_id)))
    for (name, verdict), number in tally.items():
        _count(using, name, verdict, number)


def _count(using: str, name: str, verdict: str, number: int) -> None:
    error = "" if verdict in _FINE else verdict
    series.sent.labels(telemetry.system(), "publish", series.destination(name), error).inc(number)
    if verdict in ("refused", "unroutable"):
        series.failed.labels(using, verdict).inc(number)
    else:
        known = {"confirmed": series.published, "unwanted": series.unwanted}
        known.get(verdict, series.deferred).labels(using).inc(number)


def _verdict(entry: PendingEntry, outcome: Outcome | None) -> str:
    if outcome is None:
        return "unanswered"
    return "unwanted" if outcome.state == "unroutable" and not entry.mandatory else outcome.state


def _on_relayed(sender: Any, seconds: float, using: str, **kwargs: Any) -> None:
    series.iterations.labels(using).observe(seconds)


def _on_ousted(sender: Any, using: str, **kwargs: Any) -> None:
    series.conflicts.labels(using).inc()


def _on_ended(sender: Any, consumer: Consumer, event: Any, seconds: float, error: str, **kwargs: Any) -> None:
    labels = (*series.of_handler(consumer, event.type), error)
    series.consumed.labels(*labels).inc()
    series.processing.labels(*labels).observe(seconds)


def _on_handled(sender: Any, consumer: Consumer, event: Any, **kwargs: Any) -> None:
    now = time.time()
    series.succeeded.labels(consumer.name).set(now)
    if event.time is not None:
        series.critical.labels(consumer.name).observe(max(0.0, now - event.time.timestamp()))


def _on_duplicate(sender: Any, consumer: Consumer, **kwargs: Any) -> None:
    series.duplicates.labels(consumer.name).inc()


def _on_retried(sender: Any, consumer: Consumer, **kwargs: Any) -> None:
    series.retries.labels(consumer.name, series.kind_of_retry(consumer)).inc()


def _on_died(sender: Any, consumer: Consumer, letter: DeadLetter, event: Any, **kwargs: Any) -> None:
    series.dead.labels(consumer.name, letter.reason).inc()
    if letter.reason == DeadLetter.Reason.MALFORMED:
        _count_malformed(consumer.name, letter, event)


def _count_malformed(consumer: str, letter: DeadLetter, event: Any) -> None:
    if event is None:
        series.not_events.labels(consumer, "unreadable").inc()
    elif letter.routing_key not in (event.type, consumer):
        series.not_events.labels(consumer, "misrouted").inc()
    else:
        series.violations.labels(series.known(event.type), "consume").inc()


def _on_hindered(sender: Any, daemon: str, error: Exception, **kwargs: Any) -> None:
    by_database = isinstance(error, Hindered) or any(
        isinstance(cause, (DatabaseError, InterfaceError)) for cause in (error, error.__cause__)
    )
    (series.db_errors if by_database else series.broker_errors).labels(daemon).inc()
    if not by_database:
        _away.add(daemon)


def _on_changed(sender: Any, daemon: str, state: str, **kwargs: Any) -> None:
    if state == "ready" and daemon in _away:
        _away.discard(daemon)
        series.reconnects.labels(daemon).inc()


ALL = (
    (telemetry.emitted, _on_emitted),
    (telemetry.invalid, _on_invalid),
    (telemetry.published, _on_published),
    (telemetry.relayed, _on_relayed),
    (telemetry.ousted, _on_ousted),
    (telemetry.ended, _on_ended),
    (telemetry.handled, _on_handled),
    (telemetry.duplicate, _on_duplicate),
    (telemetry.retried, _on_retried),
    (telemetry.died, _on_died),
    (telemetry.hindered, _on_hindered),
    (telemetry.changed, _on_changed),
)
