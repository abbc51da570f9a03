"""The series: their names, their labels, and those that are there, at 0, before anything has happened.

Names that begin with ``messaging_`` are OpenTelemetry's (semantic conventions 1.44, in Prometheus' form). No label
holds what a message brings: a type that nobody here knows is ``__unknown__``.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from typing import TYPE_CHECKING

import django
from django.db import router
from prometheus_client import Counter, Gauge, Histogram

from eventbridge import __version__
from eventbridge.consumer import Consumer
from eventbridge.crew import Crew
from eventbridge.event import event_types
from eventbridge.models import DeadLetter, OutboxEntry
from eventbridge.telemetry import system
from eventbridge.topology import EVENTS

if TYPE_CHECKING:
    from eventbridge.daemon import Part

UNKNOWN = "__unknown__"
NOT_TAKEN = ("nacked", "unanswered", "refused", "unroutable")
"""What ``error_type`` says of a message that the broker did not take."""
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)
_PUBLISHING = ("messaging_system", "messaging_operation_name", "messaging_destination_name")
_CONSUMING = (*_PUBLISHING, "messaging_consumer_group_name", "error_type")
_DATABASE, _CONSUMER = ("database",), ("consumer",)

# --- publishing ----------------------------------------------------------------------------------

sent = Counter(
    "messaging_client_sent_messages",
    "Messages given to the broker; error_type says why it did not take them.",
    (*_PUBLISHING, "error_type"),
)
sending = Histogram(
    "messaging_client_operation_duration_seconds",
    "How long the broker took to answer to a batch.",
    _PUBLISHING,
    buckets=_QUICK,
)
emitted = Counter(
    "eventbridge_outbox_emitted",
    "Events that were recorded; their transaction may still have rolled back.",
    ("database", "type"),
)
violations = Counter(
    "eventbridge_schema_violations",
    "Events whose data does not fit their type: not recorded (side: emit), or not readable (side: consume).",
    ("type", "side"),
)
published = Counter("eventbridge_outbox_published", "Events that the broker confirmed.", _DATABASE)
unwanted = Counter("eventbridge_outbox_unwanted", "Events that no queue wanted, and that need none.", _DATABASE)
deferred = Counter("eventbridge_outbox_deferred", "Events that were nacked or not answered, and stay.", _DATABASE)
failed = Counter("eventbridge_outbox_failed", "Events that were parked.", ("database", "reason"))
conflicts = Counter(
    "eventbridge_outbox_lease_conflicts", "Leases that another relay took over before they were given back.", _DATABASE
)
lag = Histogram(
    "eventbridge_outbox_delivery_lag_seconds", "From emit to the broker's confirm.", _DATABASE, buckets=_SLOW
)
batches = Histogram("eventbridge_relay_batch_size", "Events in a batch.", _DATABASE, buckets=_SIZES)
iterations = Histogram(
    "eventbridge_relay_iteration_duration_seconds",
    "From when a batch was given to the broker until what it took was deleted.",
    _DATABASE,
    buckets=_QUICK,
)

# --- consuming -----------------------------------------------------------------------------------

consumed = Counter("messaging_client_consumed_messages", "Handlers that ran; error_type: what they raised.", _CONSUMING)
processing = Histogram("messaging_process_duration_seconds", "How long handlers ran.", _CONSUMING, buckets=_QUICK)
critical = Histogram(
    "eventbridge_consumer_critical_time_seconds",
    "From the event's time to when it was handled.",
    _CONSUMER,
    buckets=_SLOW,
)
retries = Counter(
    "eventbridge_consumer_retries",
    "Attempts that failed and come again: later, or (ordered consumers) in place.",
    ("consumer", "kind"),
)
dead = Counter("eventbridge_consumer_dead_lettered", "Messages that became dead letters.", ("consumer", "reason"))
duplicates = Counter("eventbridge_consumer_duplicates", "Deliveries of what had been handled before.", _CONSUMER)
not_events = Counter(
    "eventbridge_cloudevents_invalid",
    "Messages that are no CloudEvent (unreadable), or came by another key than their type's (misrouted).",
    ("consumer", "reason"),
)
succeeded = Gauge(
    "eventbridge_consumer_last_success_timestamp_seconds",
    "When a handler last did its work; 0: not yet.",
    _CONSUMER,
)

# --- daemons -------------------------------------------------------------------------------------

broker_errors = Counter("eventbridge_broker_errors", "Tries that failed because of the broker.", ("daemon",))
db_errors = Counter("eventbridge_db_errors", "Tries that failed because of a database.", ("daemon",))
reconnects = Counter(
    "eventbridge_broker_reconnects", "Times that it went on after the broker had been away.", ("daemon",)
)
build = Gauge("eventbridge_build_info", "What runs here.", ("version", "django", "python"))


# --- what is there from the start ----------------------------------------------------------------


def expect_events() -> None:
    """Every process: it may emit, and it is of some version."""
    build.labels(__version__, django.get_version(), platform.python_version()).set(1)
    for kind in event_types.values():
        emitted.labels(router.db_for_write(OutboxEntry), kind.name)
        violations.labels(kind.name, "emit")
    violations.labels(UNKNOWN, "emit")


def expect(parts: Iterable[Part]) -> None:
    """A daemon: what its parts will count."""
    expect_events()
    for part in parts:
        for counter in (broker_errors, db_errors, reconnects):
            counter.labels(f"{part.role} {part.name}")
        if isinstance(part, Crew):
            _expect_consumer(part.consumer)
        else:
            _expect_relay(part.database)


def _expect_relay(database: str) -> None:
    for counter in (published, unwanted, deferred, conflicts, lag, batches, iterations):
        counter.labels(database)
    for reason in ("refused", "unroutable"):
        failed.labels(database, reason)
    sending.labels(system(), "publish", EVENTS)
    for name in (*(kind.name for kind in event_types.values()), UNKNOWN):
        for error in ("", *NOT_TAKEN):
            sent.labels(system(), "publish", destination(name), error)


def _expect_consumer(consumer: Consumer) -> None:
    for counter in (critical, duplicates, succeeded):
        counter.labels(consumer.name)
    retries.labels(consumer.name, kind_of_retry(consumer))
    for reason in DeadLetter.Reason:
        dead.labels(consumer.name, reason.value)
    for why in ("unreadable", "misrouted"):
        not_events.labels(consumer.name, why)
    violations.labels(UNKNOWN, "consume")
    for kind in event_types.values():
        if consumer.handler_for(kind.name):
            violations.labels(kind.name, "consume")
            for counter in (consumed, processing):
                counter.labels(*of_handler(consumer, kind.name), "")


# --- labels --------------------------------------------------------------------------------------


def destination(name: str, queue: str = "") -> str:
    """OpenTelemetry's name of it: exchange, routing key and, for a consumer, queue."""
    return ":".join(filter(None, (EVENTS, known(name), queue)))


def known(name: str) -> str:
    """An event type's name, if somebody here has declared it."""
    return name if any(kind.name == name for kind in event_types.values()) else UNKNOWN


def of_handler(consumer: Consumer, name: str) -> tuple[str, str, str, str]:
    return system(), "process", destination(name, consumer.name), consumer.name


def kind_of_retry(consumer: Consumer) -> str:
    return "in_place" if consumer.ordered else "delayed"
