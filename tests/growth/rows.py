"""Rows of an outbox, by SQL alone."""

from typing import Any

from django.db import connection

_COLUMNS = "event_id, type, mandatory, headers, body"


def record(event_id: str, cursor: Any = None) -> None:
    """One event, in this thread's transaction or in that of the cursor."""
    values = [event_id, "shop.thing.v1", True, "", "{}"]
    with cursor or connection.cursor() as c:
        c.execute(f"INSERT INTO eventbridge_outbox ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s)", values)  # noqa: S608


def fill(count: int, body: str = "{}") -> None:
    """So many events, by one statement."""
    many = "SELECT 'event ' || n, 'shop.thing.v1', true, '', %s FROM generate_series(1, %s) AS n"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO eventbridge_outbox ({_COLUMNS}) {many}", [body, count])
