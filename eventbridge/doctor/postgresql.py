"""PostgreSQL: whether it keeps what it says it has committed, takes writes, and stays fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from eventbridge.doctor.visit import Note, broken, doubtful, fine
from eventbridge.wording import age, count, one_line

_MANY_DEAD = 100_000
_LONG = 300
_TABLES = ("eventbridge_outbox", "eventbridge_broker_message")
_NEEDED = {
    "fsync": (broken, "after a crash of the machine the database may be lost as a whole, and with it the outbox"),
    "full_page_writes": (
        broken,
        "after a crash of the machine pages may be half old, half new: events are lost or mad",
    ),
    "synchronous_commit": (
        doubtful,
        "a crash of the server undoes the last commits, also of handlers whose events are acknowledged: those are lost",
    ),
}
"""What must not be off, and what follows if it is."""


def look(connection: BaseDatabaseWrapper, cursor: CursorWrapper) -> Iterator[Note]:
    yield from _durability(cursor)
    yield from _writes(cursor)
    yield from _pooler(connection, cursor)
    yield from _autovacuum(cursor)
    yield from _dead_rows(cursor)
    yield from _long_transactions(cursor)
    cursor.execute("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl")
    encrypted = cursor.fetchone()
    cursor.execute("SHOW server_version")
    yield fine(f"PostgreSQL {cursor.fetchone()[0]}, {f'by {encrypted[0]}' if encrypted else 'without TLS'}")


def _durability(cursor: CursorWrapper) -> Iterator[Note]:
    """As they are for this user's sessions: `synchronous_commit` can be set for a role or in OPTIONS."""
    cursor.execute("SELECT name, source FROM pg_settings WHERE setting = 'off' AND name = ANY(%s)", [list(_NEEDED)])
    off = cursor.fetchall()
    for name, source in off:
        judge, follows = _NEEDED[name]
        mend = f"ALTER SYSTEM RESET {name}; SELECT pg_reload_conf();"
        yield judge(f"{name} is off (by: {source}): {follows}.", f"{mend} Or set it to on where it was turned off.")
    if not off:
        yield fine("what is committed is on disk")


def _writes(cursor: CursorWrapper) -> Iterator[Note]:
    cursor.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'")
    standby, read_only = cursor.fetchone()
    if standby:
        mend = "Correct HOST, or name all hosts with OPTIONS = {'target_session_attrs': 'read-write'}."
        yield broken("It is a standby, which takes no writes: daemons wait for that.", mend)
    elif read_only:
        mend = "Turn default_transaction_read_only off, for this user, in OPTIONS, or in postgresql.conf."
        yield broken("Its transactions are read-only: daemons wait for that.", mend)


def _pooler(connection: BaseDatabaseWrapper, cursor: CursorWrapper) -> Iterator[Note]:
    """A pooler tells its clients another number than the server has. How it pools, nobody can ask."""
    told = getattr(getattr(connection.connection, "info", None), "backend_pid", None)
    cursor.execute("SELECT pg_backend_pid()")
    if told in (None, cursor.fetchone()[0]):
        return
    options: dict[str, Any] = connection.settings_dict
    if options.get("DISABLE_SERVER_SIDE_CURSORS") and options["OPTIONS"].get("prepare_threshold") is None:
        yield fine("by a pooler (PgBouncer), for which it is set; a relay through it is not woken by commits")
        return
    yield doubtful(
        "A pooler such as PgBouncer is between: where it pools transactions, server-side cursors and prepared "
        "statements fail, as the next statement may be another session's.",
        f"DATABASES[{connection.alias!r}]: DISABLE_SERVER_SIDE_CURSORS = True, and no prepare_threshold in OPTIONS.",
    )


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
