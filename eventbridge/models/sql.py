"""What PostgreSQL and SQLite spell differently. Every time is the database's own clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

_PARAMETERS = 32_000  # of one statement: SQLite takes 32,766, PostgreSQL 65,535
_FEW = 10  # up to so many, the round trips of COPY cost more than they spare
SUPPORTED = ("postgresql", "sqlite")

Parameters = Sequence[Any] | Mapping[str, Any]
"""In the order of their ``%s``, or by the names of ``%(name)s``."""


def later(using: str) -> str:
    """SQL for "so many seconds (one parameter) from now"."""
    if connections[using].vendor == "postgresql":
        return "(statement_timestamp() + %s * interval '1 second')"
    # The format in which Django keeps a DateTimeField on SQLite, where it compares as text.
    return "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', %s || ' seconds')"


def now(using: str) -> str:
    """SQL for now."""
    return later(using).replace("%s", "0")


def epoch(using: str, column: str) -> str:
    """SQL for a time as whole seconds since the epoch."""
    if connections[using].vendor == "postgresql":
        return f"extract(epoch FROM {column})::bigint"
    return f"CAST(strftime('%%s', {column}) AS INTEGER)"


def length(using: str, column: str) -> str:
    """SQL for how long a text is: in bytes on PostgreSQL, which need not read it for that; in characters on SQLite."""
    return f"{'octet_length' if connections[using].vendor == 'postgresql' else 'length'}({column})"


def one_of(using: str, values: Sequence[Any]) -> tuple[str, Any]:
    """SQL for "is one of these" and its one parameter, however many values there are.

    ``= ANY`` with an array keeps its plan on a table whose statistics say that it is empty, where
    a join becomes a nested loop over everything.
    """
    if connections[using].vendor == "postgresql":
        return "= ANY(%s)", list(values)
    return "IN (SELECT value FROM json_each(%s))", json.dumps(list(values))


def some_of(using: str, select: str) -> str:
    """SQL for "is one of the rows that this select locks", skipping what others have locked."""
    if connections[using].vendor == "postgresql":
        return f"= ANY(ARRAY({select} FOR UPDATE SKIP LOCKED))"
    return f"IN ({select})"


def insert(using: str, table: str, entries: Sequence[NamedTuple], then: Callable[[Any], str] | None = None) -> None:
    """Insert these in this order. All of them or none; ``then`` gives SQL to evaluate in the same transaction.

    Raw SQL: an ORM object for each would cost twice as much as the INSERT. On PostgreSQL many go by
    COPY, which takes a quarter of the time: neither psycopg nor the server looks at each value's place.
    """
    connection: Any = connections[using]
    if len(entries) > _FEW and connection.vendor == "postgresql":
        _copy(connection, table, entries)
        if then and (value := then(connection)):
            run(using, f"SELECT {value}").close()
    elif entries:
        value = then(connection) if then else ""
        _insert(connection, table, entries, f" RETURNING {value}" if value else "")


def _copy(connection: Any, table: str, entries: Sequence[NamedTuple]) -> None:
    with connection.cursor() as cursor, connection.wrap_database_errors:
        connection.validate_no_broken_transaction()

        def execute(statement: str, *_: Any) -> None:
            with cursor.copy(statement) as copy:
                for entry in entries:
                    copy.write_row(entry)

        # Django asks execute_wrapper() at execute() alone; whoever watches must see this, too.
        for wrapper in reversed(connection.execute_wrappers):
            execute = partial(wrapper, execute)
        context = {"connection": connection, "cursor": cursor}
        execute(f"COPY {table} ({', '.join(entries[0]._fields)}) FROM STDIN", None, False, context)


def _insert(connection: Any, table: str, entries: Sequence[NamedTuple], then: str) -> None:
    """By one statement for as many as its parameters allow."""
    names = entries[0]._fields
    most = _PARAMETERS // len(names)
    if len(entries) > most:
        with transaction.atomic(using=connection.alias, savepoint=False):
            for start in range(0, len(entries), most):
                _insert(connection, table, entries[start : start + most], then)
        return
    parameters = [value for entry in entries for value in entry]
    _writer(connection).execute(_statement(table, names, len(entries), then), parameters)


def _writer(connection: Any) -> CursorWrapper:
    """A cursor to write with. A transaction keeps its own: to make one takes a tenth of an emit."""
    kept: CursorWrapper | None = getattr(connection, "eventbridge_writer", None)
    is_ours = kept and kept.connection is connection.connection and connection.in_atomic_block
    if kept and is_ours and not connection.queries_logged:
        return kept
    made: CursorWrapper = connection.cursor()  # which sees first whether the connection is alive
    connection.eventbridge_writer = None if connection.queries_logged else made
    return made


@lru_cache(maxsize=8)  # the same few again and again; one of thousands of rows is long
def _statement(table: str, names: tuple[str, ...], rows: int, then: str) -> str:
    values = ", ".join([f"({', '.join(['%s'] * len(names))})"] * rows)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {values}{then}"


def run(using: str, sql: str, parameters: Parameters = ()) -> CursorWrapper:
    """Execute, and return the cursor. The caller closes it, or lets it go."""
    cursor = connections[using].cursor()
    cursor.execute(sql, parameters)
    return cursor


def rows(using: str, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """Execute, and fetch all."""
    with run(using, sql, parameters) as cursor:
        return list(cursor.fetchall())


def changed(using: str, sql: str, parameters: Sequence[Any] = ()) -> int:
    """Execute, and return the number of rows it changed."""
    with run(using, sql, parameters) as cursor:
        return int(cursor.rowcount)
