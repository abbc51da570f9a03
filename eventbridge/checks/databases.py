"""Databases: whether each that gets an outbox can hold one, and bear the daemons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage
from django.db import DEFAULT_DB_ALIAS, connections, router

from eventbridge.checks import findings
from eventbridge.checks.consumers import known_consumers
from eventbridge.conf import settings
from eventbridge.models import OutboxEntry
from eventbridge.models.sql import SUPPORTED


def check_databases(**kwargs: Any) -> list[CheckMessage]:
    """Each database that gets an outbox can hold one."""
    aliases = [alias for alias in connections if router.allow_migrate_model(alias, OutboxEntry)]
    return [problem for alias in aliases for problem in _bad_database(alias)]


def _bad_database(alias: str) -> Iterator[CheckMessage]:
    connection = connections[alias]
    options = connection.settings_dict.get("OPTIONS", {})
    if connection.vendor not in SUPPORTED:
        text = f"database {alias!r} is {connection.vendor}, where eventbridge does not work."
        hint = "Use PostgreSQL or SQLite; a router's allow_migrate keeps eventbridge out of this one."
        yield findings.error(30, text, hint)
    elif connection.vendor == "sqlite":
        yield from _locking_sqlite(alias, options)
    else:
        yield from _small_pool(alias, options.get("pool"))


def _locking_sqlite(alias: str, options: Mapping[str, Any]) -> Iterator[CheckMessage]:
    if str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
        text = f"database {alias!r} is SQLite without OPTIONS['transaction_mode'] = 'IMMEDIATE'."
        yield findings.warning(31, text, "Transactions that read first fail with 'database is locked' at once.")
    if "journal_mode=wal" not in str(options.get("init_command", "")).lower().replace(" ", ""):
        text = f"database {alias!r} is SQLite without PRAGMA journal_mode=WAL in OPTIONS['init_command']."
        yield findings.warning(32, text, "Daemons and site would block each other's reads.")


def _small_pool(alias: str, pool: Any) -> Iterator[CheckMessage]:
    """Daemons keep a connection for each thread. psycopg's pool gives out ``max_size``, or ``min_size`` without it."""
    if not pool:
        return
    given = pool if isinstance(pool, Mapping) else {}
    size, threads = given.get("max_size") or given.get("min_size", 4), _threads_of(alias)
    if size < threads:
        text = f"database {alias!r} has a pool of {size} connections, and one process of consumers uses {threads}."
        hint = f"Set OPTIONS['pool']['max_size'] to {threads} or more: a thread that gets none waits."
        yield findings.warning(33, text, hint)


def _threads_of(alias: str) -> int:
    """How many threads of one process that runs all of CONSUMERS, or a relay, use that database at a time."""
    consumers, _ = known_consumers()
    scheme, _, rest = str(settings.BROKER_URL).partition("://")  # it may be one that cannot be taken apart
    embedded = scheme == "database" and (rest.partition("?")[0] or DEFAULT_DB_ALIAS) == alias
    hands_and_replays = sum(consumer.concurrency + 1 for consumer in consumers if consumer.database == alias)
    pumps = len(consumers) if embedded else 0
    return max(hands_and_replays + pumps, 1) + 1  # and the heartbeats
