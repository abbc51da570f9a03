"""How the parts fit together: from the settings to a relay, and to a crew for each consumer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial

from eventbridge.conf import settings
from eventbridge.consumer import Consumer, consumers_in
from eventbridge.crew import Crew
from eventbridge.daemon import Daemon, RelayPart, process_name
from eventbridge.drain import Drain
from eventbridge.models import Heartbeat, InboxEntry
from eventbridge.quarantine import Quarantine
from eventbridge.relay import Relay
from eventbridge.replays import Replays
from eventbridge.topology import Topology, queue_of, topology_of
from eventbridge.transports import Options, Publisher, Subscriber, transport
from eventbridge.transports.examination import Examination, Write

_PRUNE_EVERY = 3600.0


def options() -> Options:
    """What the transport gets to know of the settings."""
    return Options(
        url=settings.BROKER_URL,
        app_id=settings.SOURCE,
        name=f"eventbridge {process_name()}",
        confirm_timeout=settings.CONFIRM_TIMEOUT,
        heartbeat=settings.HEARTBEAT,
        tls=settings.BROKER_TLS,
    )


def open_publisher() -> Publisher:
    """A publisher for BROKER_URL. It connects when it is used."""
    return transport(settings.BROKER_URL).Publisher(options())


def declare(topology: Topology) -> None:
    """Create on the broker what is missing."""
    transport(settings.BROKER_URL).declare(options(), topology)


def missing(topology: Topology) -> list[str]:
    """What is missing on the broker."""
    return transport(settings.BROKER_URL).missing(options(), topology)


def examine(topology: Topology, writes: Sequence[Write], reads: Sequence[str]) -> Examination:
    """What is the matter with the broker, and what this user may not do there. Nothing is changed."""
    return transport(settings.BROKER_URL).examine(options(), topology, writes=writes, reads=reads)


def make_relay(database: str) -> Relay:
    """The relay of one database's outbox, as the settings say."""
    return Relay(
        open_publisher(),
        holder=process_name(),
        database=database,
        batch=settings.RELAY_BATCH,
        lease=settings.RELAY_LEASE,
        longest_pause=settings.POLL_INTERVAL,
        prepare=_declare_what_is_known,
    )


def _declare_what_is_known() -> None:
    """So that an event is not parked because its consumer has not been started yet."""
    if settings.AUTO_DECLARE:
        declare(topology_of(consumers_in(settings.CONSUMERS)))


def _daemon(health_address: str | None) -> Daemon:
    return Daemon(
        shutdown_timeout=settings.SHUTDOWN_TIMEOUT,
        stuck_after=settings.STUCK_AFTER,
        health_address=settings.HEALTH_ADDRESS if health_address is None else health_address,
    )


def relay_daemon(database: str, health_address: str | None = None) -> Daemon:
    """A daemon that runs the relay of one database."""
    daemon = _daemon(health_address)
    daemon.parts.append(RelayPart(make_relay(database), daemon))
    return daemon


def consume_daemon(
    consumers: Iterable[Consumer], health_address: str | None = None, drain: Drain | None = None
) -> Daemon:
    """A daemon that runs these consumers; with ``drain`` until there is nothing left to do."""
    daemon = _daemon(health_address)
    quarantine = Quarantine(daemon.stopping)
    daemon.parts.extend(_crew(consumer, daemon, drain, quarantine) for consumer in consumers)
    if drain:
        drain.then(daemon.stop)
    return daemon


def gauges_of(daemon: Daemon) -> list[Callable[[], None]]:
    """The chores that keep a daemon's gauges, if METRICS is on. It serves them from now on."""
    if not settings.METRICS:
        return []
    from eventbridge import metrics

    return [metrics.watch(daemon)]


def _crew(consumer: Consumer, daemon: Daemon, drain: Drain | None, quarantine: Quarantine) -> Crew:
    retries = open_publisher()
    replays = partial(Replays, consumer.name, consumer.database, consumer.prefetch)
    sources: list[Callable[[], Subscriber]] = [partial(_subscribe, consumer, retries), replays]
    return Crew(
        consumer,
        [drain.watch(source) for source in sources] if drain else sources,
        daemon.stopping,
        deadline=lambda: daemon.deadline,
        publisher=retries,
        quarantine=quarantine,
    )


def _subscribe(consumer: Consumer, retries: Publisher) -> Subscriber:
    """Connect to the consumer's queue; create it first, where daemons may."""
    if settings.AUTO_DECLARE:
        declare(topology_of([consumer]))
    subscribe = transport(settings.BROKER_URL).Subscriber
    return subscribe(options(), queue_of(consumer), prefetch=consumer.prefetch, retries=retries)


class Pruning:
    """A chore: once an hour, forget what the inbox need no longer remember."""

    def __init__(self, databases: Iterable[str]) -> None:
        self.databases = sorted(set(databases))
        self._due = 0.0

    def __call__(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _PRUNE_EVERY
            for database in self.databases:
                prune_inbox(database)
                Heartbeat.objects.using(database).sweep()


def prune_inbox(database: str, older: timedelta | None = None) -> int:
    """Delete, chunk by chunk, inbox rows older than that (INBOX_RETENTION); return how many."""
    age = older or timedelta(seconds=settings.INBOX_RETENTION)
    inbox, total = InboxEntry.objects.using(database), 0
    while chunk := inbox.prune(age):
        total += chunk
    return total
