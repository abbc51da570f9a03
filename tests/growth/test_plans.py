"""What the relay asks of PostgreSQL goes by an index, whatever the statistics say and however it is prepared."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from eventbridge.models import OutboxEntry
from tests.growth.rows import fill

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]
BATCH = 500
MANY = 100_000
INDEXES = {"eventbridge_outbox_pkey", "eventbridge_outbox_pending"}
VACUUMED = ("eventbridge_outbox", "eventbridge_broker_message")
Ask = Callable[[], object]


@pytest.fixture
def surprised() -> None:
    """The statistics are of an empty table; it is full now."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE eventbridge_outbox SET (autovacuum_enabled = off)")
        cursor.execute("ANALYZE eventbridge_outbox")
    fill(MANY, body="x" * 400)
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE eventbridge_outbox RESET (autovacuum_enabled)")


def read() -> object:
    return OutboxEntry.objects.using("default").pending(BATCH)


def delete() -> object:
    first = OutboxEntry.objects.order_by("id").values_list("id", flat=True)[0]
    return OutboxEntry.objects.using("default").done(range(first, first + BATCH))


def age() -> object:
    return (
        OutboxEntry.objects.using("default").filter(parked_at=None).order_by("id").values_list("created_at")[:1].get()
    )


def last_statement(ask: Ask) -> tuple[str, list[Any]]:
    """What it sends to the database in the end, with $1, $2, … for the parameters."""
    sent: list[tuple[str, list[Any]]] = []

    def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append(numbered(sql, params or ()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        ask()
    return sent[-1]


def numbered(sql: str, params: Any) -> tuple[str, list[Any]]:
    if isinstance(params, dict):
        names = list(params)
        return re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", sql), list(params.values())
    numbers = itertools.count(1)
    return re.sub("%s", lambda _: f"${next(numbers)}", sql), list(params)


def plan(ask: Ask, mode: str) -> list[dict[str, Any]]:
    """The nodes of the plan of a prepared statement, in that plan_cache_mode."""
    sql, params = last_statement(ask)
    values = ", ".join(["%s"] * len(params))
    with connection.cursor() as cursor:
        cursor.execute(f"SET plan_cache_mode = {mode}")
        cursor.execute(f"PREPARE asked{_types(params)} AS {sql}")
        try:
            cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE asked{f'({values})' if params else ''}", params)
            found = cursor.fetchone()[0]
        finally:
            cursor.execute("DEALLOCATE asked")
            cursor.execute("RESET plan_cache_mode")
    return list(nodes((json.loads(found) if isinstance(found, str) else found)[0]["Plan"]))


def _types(params: list[Any]) -> str:
    """As psycopg would say them."""
    kinds = ["bigint[]" if isinstance(param, list) else "bigint" for param in params]
    return f"({', '.join(kinds)})" if kinds else ""


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.usefixtures("surprised")
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("ask", [read, delete, age], ids=lambda ask: ask.__name__)
def test_a_statement_keeps_its_index_though_the_table_was_empty_when_it_was_analyzed(ask: Ask, mode: str):
    found = plan(ask, mode)
    kinds = {node["Node Type"] for node in found}
    assert not kinds & {"Seq Scan", "Hash Join", "Merge Join"}, found
    assert {node["Index Name"] for node in found if "Index Name" in node} <= INDEXES
    assert {node["Node Type"] for node in found if "Index Name" in node}, found
    if ask is age:  # it takes the first one where it is
        assert "Sort" not in kinds
        assert "Bitmap Heap Scan" not in kinds


def test_the_outbox_is_vacuumed_by_the_number_of_its_dead_and_not_by_a_share_of_it():
    """A share of a table that was a million long is a number that every look has to step over."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, reloptions FROM pg_class WHERE relname = ANY(%s)", [list(VACUUMED)])
        options = {table: dict(option.split("=") for option in given or ()) for table, given in cursor.fetchall()}
    for table in VACUUMED:
        assert float(options[table]["autovacuum_vacuum_scale_factor"]) == 0
        assert 0 < int(options[table]["autovacuum_vacuum_threshold"]) <= 10_000
