"""A database that holds an outbox: migrations, its clock, who locks it, and what makes it fast and safe."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor

from eventbridge.doctor.visit import Note, broken, doubtful, fine
from eventbridge.models import OutboxEntry
from eventbridge.outage import is_busy
from eventbridge.wording import age, count, one_line

_APP = "eventbridge"
_DRIFT = 2.0
_MANY_DEAD = 100_000
_LONG = 300
_SHORT = 3
_NOW = {
    "postgresql": "extract(epoch FROM clock_timestamp())",
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
}
_TABLES = ("eventbridge_outbox", "eventbridge_broker_message")


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
                yield from _postgresql(cursor)
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
        cursor.execute(f"UPDATE {_TABLES[0]} SET event_id = event_id WHERE 1 = 0")  # noqa: S608
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


# --- PostgreSQL ----------------------------------------------------------------------------------


def _postgresql(cursor: CursorWrapper) -> Iterator[Note]:
    yield from _autovacuum(cursor)
    yield from _dead_rows(cursor)
    yield from _long_transactions(cursor)
    cursor.execute("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl")
    encrypted = cursor.fetchone()
    cursor.execute("SHOW server_version")
    yield fine(f"PostgreSQL {cursor.fetchone()[0]}, {f'by {encrypted[0]}' if encrypted else 'without TLS'}")


def _autovacuum(cursor: CursorWrapper) -> Iterator[Note]:
    cursor.execute(
        "SELECT relname, coalesce(array_to_string(reloptions, ' '), '') FROM pg_class "
        "WHERE oid = ANY(ARRAY(SELECT to_regclass(name)::oid FROM unnest(%s::text[]) AS name))",
        [list(_TABLES)],
    )
    for table, options in cursor.fetchall():
        if "autovacuum_enabled=false" in options or "autovacuum_enabled=off" in options:
            mend = f"ALTER TABLE {table} RESET (autovacuum_enabled);"
            yield doubtful(f"Autovacuum is off for {table}: it gets slower with each event.", mend)
        elif "autovacuum_vacuum_threshold" not in options:
            text = f"{table} has lost its autovacuum settings: after a backlog it stays slow for long."
            settings = "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000"
            yield doubtful(text, f"ALTER TABLE {table} SET ({settings});")


def _dead_rows(cursor: CursorWrapper) -> Iterator[Note]:
    cursor.execute("SELECT relname, n_dead_tup FROM pg_stat_user_tables WHERE relname = ANY(%s)", [list(_TABLES)])
    rows = cursor.fetchall()
    for table, dead in rows:
        if dead > _MANY_DEAD:
            text = f"{table} has {dead:,} dead rows, which each look steps over: vacuum does not come."
            yield doubtful(text, f"End long transactions, if there are any; then VACUUM {table};")
    if rows and max(dead for _, dead in rows) <= _MANY_DEAD:
        yield fine(f"{count(sum(dead for _, dead in rows), 'dead row')} in the tables that churn")


def _long_transactions(cursor: CursorWrapper) -> Iterator[Note]:
    """Those that hold back vacuum. Of other users' sessions PostgreSQL may hide what they do."""
    cursor.execute(
        "SELECT pid, usename, application_name, state, extract(epoch FROM now() - xact_start) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' "
        "AND xact_start < clock_timestamp() - %s * interval '1 second' ORDER BY xact_start LIMIT 5",
        [_LONG],
    )
    for pid, user, application, state, seconds in cursor.fetchall():
        who = ", ".join(filter(None, (user, application, state)))
        text = f"A transaction is open for {age(float(seconds))} (process {pid}: {one_line(who)}); vacuum waits for it."
        yield doubtful(text, f"End it where it was begun, or SELECT pg_terminate_backend({pid});")
    cursor.execute(
        "SELECT gid, extract(epoch FROM now() - prepared) FROM pg_prepared_xacts WHERE database = current_database() "
        "AND prepared < clock_timestamp() - %s * interval '1 second' ORDER BY prepared LIMIT 5",
        [_LONG],
    )
    for gid, seconds in cursor.fetchall():
        text = f"Transaction {one_line(gid)!r} is prepared for {age(float(seconds))}, and nobody ends it; vacuum waits."
        yield doubtful(text, "COMMIT PREPARED or ROLLBACK PREPARED, as whoever began it meant.")
