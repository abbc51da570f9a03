"""A database that holds an outbox: migrations, its clock, and on SQLite who keeps its lock."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor

from eventbridge.doctor import postgresql
from eventbridge.doctor.visit import Note, broken, doubtful, fine
from eventbridge.models import OutboxEntry
from eventbridge.outage import is_busy
from eventbridge.wording import age

_APP = "eventbridge"
_DRIFT = 2.0
_SHORT = 3
_NOW = {
    "postgresql": "extract(epoch FROM clock_timestamp())",
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
}


def look(alias: str) -> Iterator[Note]:
    """What `status` says by itself (that it is away, that it has no tables) is left to it."""
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            if OutboxEntry._meta.db_table not in connection.introspection.table_names(cursor):
                return
            yield from _migrations(connection)
            yield from _clock(cursor, connection.vendor)
            if connection.vendor == "postgresql":
                yield from postgresql.look(connection, cursor)
            else:
                yield from _sqlite(cursor)
    except (OperationalError, InterfaceError):
        return


def _migrations(connection: BaseDatabaseWrapper) -> Iterator[Note]:
    executor = MigrationExecutor(connection)
    loader = executor.loader
    wanted = [key for key in loader.graph.leaf_nodes() if key[0] == _APP]
    missing = [migration.name for migration, _ in executor.migration_plan(wanted) if migration.app_label == _APP]
    unknown = sorted(
        name for app, name in loader.applied_migrations if app == _APP and (app, name) not in loader.graph.nodes
    )
    if missing:
        text = f"Migrations of eventbridge are not applied: {', '.join(missing)}."
        option = "" if connection.alias == DEFAULT_DB_ALIAS else f" --database {connection.alias}"
        yield broken(text, f"manage.py migrate {_APP}{option}")
    if unknown:
        text = f"It was migrated by a newer eventbridge than this one: {', '.join(unknown)}."
        yield doubtful(text, "Install the same version everywhere.")
    if not missing and not unknown:
        yield fine("all migrations are applied")


def _clock(cursor: CursorWrapper, vendor: str) -> Iterator[Note]:
    """Leases and ages are by the database's clock, an event's time by this machine's."""
    before = time.time()
    cursor.execute(f"SELECT {_NOW[vendor]}")
    [there] = cursor.fetchone()
    after = time.time()
    ahead = float(there) - (before + after) / 2
    if abs(ahead) - (after - before) / 2 > _DRIFT:
        text = f"Its clock is {age(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} this machine's."
        yield doubtful(text, "Have both follow the same time (chrony, systemd-timesyncd).")
    else:
        yield fine("its clock agrees with this machine's")


# --- SQLite --------------------------------------------------------------------------------------


def _sqlite(cursor: CursorWrapper) -> Iterator[Note]:
    """It has one lock for all who write: whoever keeps it stops everything, and the heartbeats as well."""
    cursor.execute(f"PRAGMA busy_timeout = {_SHORT * 1000}")  # of this connection, which is closed after the visit
    try:
        cursor.execute("BEGIN IMMEDIATE")
        # That alone succeeds in a file that may only be read; a statement that changes no row does not.
        cursor.execute(f"UPDATE {OutboxEntry._meta.db_table} SET event_id = event_id WHERE 1 = 0")  # noqa: S608
        cursor.execute("ROLLBACK")
    except OperationalError as error:
        mend = "Let this user write to the file and to its folder, and free the disk."
        yield _locked() if is_busy(error) else broken(f"It cannot be written to: {error}.", mend)
    else:
        yield fine("SQLite; nobody keeps its write lock")


def _locked() -> Note:
    text = (
        f"Somebody has held its write lock for {_SHORT} s and more, so nobody can emit, relay or handle an event: a "
        "handler or a view that hangs in its transaction, a shell, or a migration."
    )
    mend = (
        "`fuser -v` with the file's name lists who has it open, and `status` who is silent: end the one that hangs. "
        "Handlers that wait for others belong in a Consumer with atomic=False, or with a timeout."
    )
    return broken(text, mend)
