"""Gauges: how a daemon, its outbox and its dead letters are at this moment.

A scrape reads memory only. The databases are asked by a chore, so that one that is away holds up no scrape: what it
said last is shown until it answers again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from eventbridge.crew import Crew
from eventbridge.models import DeadLetter, InboxEntry, OutboxEntry
from eventbridge.models.outbox import Backlog
from eventbridge.outage import forget_broken_connection
from eventbridge.server import Page

if TYPE_CHECKING:
    from eventbridge.daemon import Part

_EVERY = 15.0
_STATES = {
    "relay": ("starting", "ready", "standby", "waiting", "paused"),
    "consumer": ("starting", "ready", "waiting", "paused"),
}


class Gauges:
    """A collector, as prometheus-client calls it, of one daemon."""

    def __init__(self, parts: Sequence[Part], told: Mapping[Part, Mapping[str, Any]]) -> None:
        self._crews = [part for part in parts if isinstance(part, Crew)]
        self._relays = [part for part in parts if not isinstance(part, Crew)]
        self._told = told
        self._backlogs = {relay.database: Backlog(0, 0, None) for relay in self._relays}
        self._letters = dict.fromkeys((crew.name for crew in self._crews), 0)
        self._inboxes = dict.fromkeys((crew.database for crew in self._crews), 0)
        self._due = 0.0

    def ask(self) -> None:
        """A chore: every fifteen seconds, ask the databases. Those that are away are asked again."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _EVERY
            for database in self._backlogs:
                _try(database, lambda database=database: self._count_outbox(database))  # type: ignore[misc]
            for crew in self._crews:
                _try(crew.database, lambda crew=crew: self._count_letters(crew))  # type: ignore[misc]
            for database in self._inboxes:
                _try(database, lambda database=database: self._count_inbox(database))  # type: ignore[misc]

    def _count_outbox(self, database: str) -> None:
        self._backlogs[database] = OutboxEntry.objects.using(database).backlog()

    def _count_letters(self, crew: Crew) -> None:
        self._letters[crew.name] = DeadLetter.objects.using(crew.database).filter(consumer=crew.name).count()

    def _count_inbox(self, database: str) -> None:
        self._inboxes[database] = InboxEntry.objects.using(database).about_how_many()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._of_daemons()
        if self._relays:
            yield from self._of_outboxes()
        if self._crews:
            yield from self._of_consumers()

    def _of_daemons(self) -> Iterator[GaugeMetricFamily]:
        name, text = (
            "eventbridge_loop_age_seconds",
            "For how long a part's slowest loop has not turned, although it should have.",
        )
        ages = GaugeMetricFamily(name, text, labels=("daemon",))
        for part in (*self._relays, *self._crews):
            ages.add_metric((f"{part.role} {part.name}",), max(0.0, time.monotonic() - part.turned))
        yield ages
        ends = {f"{part.role} {part.name}": part.publisher.certificate_ends for part in (*self._relays, *self._crews)}
        name, text = "eventbridge_broker_certificate_expiry_timestamp_seconds", "When the broker's certificate ends."
        yield _gauge(name, text, ends, "daemon")

    def _of_outboxes(self) -> Iterator[GaugeMetricFamily]:
        yield _states("relay", "database", self._relays)
        name, text = "eventbridge_outbox_messages", "Events in the outbox: pending, or parked."
        messages = GaugeMetricFamily(name, text, labels=("database", "status"))
        name, text = "eventbridge_outbox_oldest_pending_age_seconds", "The age of the oldest pending event; 0: none."
        oldest = GaugeMetricFamily(name, text, labels=("database",))
        for database, backlog in self._backlogs.items():
            messages.add_metric((database, "pending"), backlog.pending)
            messages.add_metric((database, "parked"), backlog.parked)
            oldest.add_metric((database,), backlog.oldest or 0)
        yield from (messages, oldest)

    def _of_consumers(self) -> Iterator[GaugeMetricFamily]:
        yield _states("consumer", "consumer", self._crews)
        told = [(crew, self._told.get(crew, {})) for crew in self._crews]
        running = {crew.name: figures.get("running", 0) for crew, figures in told}
        depth = {crew.name: figures.get("depth") for crew, figures in told}
        yield _gauge("eventbridge_consumer_in_flight", "Handlers that run in this process.", running)
        yield _gauge(
            "eventbridge_consumer_queue_messages", "What waits in the queue, as last seen; NaN: not known.", depth
        )
        yield _gauge("eventbridge_dlq_messages", "Dead letters.", self._letters)
        name, text = "eventbridge_inbox_rows", "About how many events the inbox remembers, at most."
        yield _gauge(name, text, self._inboxes, "database")
        lost = [figures["lost"] for _, figures in told if figures.get("lost") is not None]
        text = "Retries whose own queue is gone; NaN: not known."
        yield GaugeMetricFamily("eventbridge_lost_messages", text, max(lost, default=math.nan))


def _states(role: str, label: str, parts: Sequence[Part]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"eventbridge_{role}_state", "1 for the state that it is in.", labels=(label, "state"))
    for part in parts:
        now = part.state
        for state in dict.fromkeys((*_STATES[role], now)):
            family.add_metric((part.name, state), state == now)
    return family


def _gauge(name: str, text: str, values: Mapping[str, float | None], label: str = "consumer") -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for whose, value in values.items():
        family.add_metric((whose,), math.nan if value is None else value)
    return family


def _try(database: str, ask: Callable[[], None]) -> None:
    try:
        ask()
    except (DatabaseError, InterfaceError):
        forget_broken_connection(database)


def expose(gauges: Gauges) -> Page:
    """Everything that this process counts, the project's own series too, and these gauges."""
    own = CollectorRegistry()
    own.register(gauges)
    return Page(200, generate_latest(REGISTRY) + generate_latest(own), CONTENT_TYPE_LATEST)
