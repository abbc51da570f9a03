"""What PostgreSQL and SQLite spell differently. Every time is the database's own clock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.backends.utils import CursorWrapper

SUPPORTED = ("postgresql", "sqlite")


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


def run(using: str, sql: str, parameters: Sequence[Any] = ()) -> CursorWrapper:
    """Execute, and return the cursor. The caller closes it, or lets it go."""
    cursor = connections[using].cursor()
    cursor.execute(sql, parameters)
    return cursor


def rows(using: str, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Execute, and fetch all."""
    with run(using, sql, parameters) as cursor:
        return list(cursor.fetchall())


def changed(using: str, sql: str, parameters: Sequence[Any] = ()) -> int:
    """Execute, and return the number of rows it changed."""
    with run(using, sql, parameters) as cursor:
        return int(cursor.rowcount)
