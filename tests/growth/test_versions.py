"""Two versions side by side: rows that the first one wrote, and its statements on what this one writes.

`golden/version_1.json` is frozen: rows as version 1 inserted them, with the columns that it knew. If a test
here fails, it is the change that is wrong: give the new column a default in the database.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from eventbridge import emit
from eventbridge.models import BrokerMessage, DeadLetter, InboxEntry, Lease, OutboxEntry
from tests.services.processes import Process
from tests.services.waiting import wait_for
from tests.shop.contracts import OrderSaved
from tests.shop.models import Note

pytestmark = [pytest.mark.django_db(transaction=True, databases=["default", "archive"]), pytest.mark.timeout(120)]
GOLDEN: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parent / "golden/version_1.json").read_text())
ORDER = "01234567-89ab-cdef-0123-456789abcd"


@pytest.fixture
def old_rows() -> None:
    """Everything that version 1 left behind."""
    for table, rows in GOLDEN.items():
        for row in rows:
            places = ", ".join(["%s"] * len(row))
            execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())  # noqa: S608


def execute(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """A statement as it stands here."""
    parameters = [value["bytes"].encode() if isinstance(value, dict) else value for value in values]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def notes() -> list[str]:
    return sorted(Note.objects.values_list("text", flat=True))


def first_version() -> dict[str, set[str]]:
    """The tables of the first migration, with the columns that code has to write."""
    models = MigrationLoader(connection).project_state([("eventbridge", "0001_initial")]).apps.get_models()
    return {
        model._meta.db_table: {field.column for field in model._meta.concrete_fields if field.name != "id"}
        for model in models
        if model._meta.app_label == "eventbridge"
    }


def test_the_frozen_rows_are_of_every_table_and_column_of_the_first_version():
    known = {table: set().union(*rows) for table, rows in GOLDEN.items()}
    assert known == first_version()


def test_whatever_the_first_version_wrote_is_still_there():
    for table, columns in first_version().items():
        with connection.cursor() as cursor:
            now = {column.name for column in connection.introspection.get_table_description(cursor, table)}
        assert columns <= now


@pytest.mark.usefixtures("old_rows")
def test_what_the_first_version_left_behind_is_relayed_handled_skipped_retried_and_replayed(
    daemon: Callable[..., Process],
):
    consumer = daemon("eventbridge", "consume", "tests.growth.old_consumer")
    relay = daemon("eventbridge", "relay")
    # 1 was in the outbox, 5 in the broker, 9 in the hands of a process that died; 2 had been handled
    wait_for(lambda: notes() == [f"1 {ORDER}ef", f"5 {ORDER}f3", f"9 {ORDER}f4"], 30, what="three notes")
    wait_for(lambda: not BrokerMessage.objects.exists(), what="the broker to be empty")
    assert OutboxEntry.objects.get().parked_reason == "no queue is bound to this type"
    call_command("eventbridge", "outbox", "retry", "--all")
    call_command("eventbridge", "dead", "replay", "--all")
    wait_for(lambda: notes()[1:3] == [f"3 {ORDER}f1", f"4 {ORDER}f2"], 30, what="five notes")
    wait_for(lambda: not OutboxEntry.objects.exists() and not DeadLetter.objects.exists(), what="nothing to be left")
    assert InboxEntry.objects.filter(consumer="growth.old", handled_at__isnull=False).count() == 6
    assert Lease.objects.get(name="relay").token == 42
    for process in (relay, consumer):
        process.terminate()
        assert process.wait() == 0


def test_a_relay_of_the_first_version_reads_and_deletes_what_is_recorded_now():
    event = emit(OrderSaved(order_id=UUID(f"{ORDER}ef"), paid=True, created=False))
    [(pk, event_id, kind, mandatory, headers, body)] = execute(
        "SELECT id, event_id, type, mandatory, headers, body FROM eventbridge_outbox WHERE parked_at IS NULL "
        "ORDER BY id LIMIT 500"
    )
    assert (event_id, kind, bool(mandatory), headers) == (event.id, "shop.order.saved.v1", False, "")
    assert json.loads(body)["data"] == {"order_id": f"{ORDER}ef", "paid": True, "created": False}
    assert body.startswith('{"')  # it puts the sequence in front
    execute("UPDATE eventbridge_outbox SET parked_at = CURRENT_TIMESTAMP, parked_reason = 'no queue' WHERE id = %s", pk)
    assert OutboxEntry.objects.parked().get().event_id == event.id
    execute("DELETE FROM eventbridge_outbox WHERE id IN (%s)", pk)
    assert not OutboxEntry.objects.exists()


def test_a_consumer_of_the_first_version_claims_in_the_inbox_of_now():
    claim = (
        "INSERT INTO eventbridge_inbox (consumer, source, event_id, attempts, handled_at) "
        "VALUES ('growth.old', '/shop', 'an id', 0, CURRENT_TIMESTAMP) "
        "ON CONFLICT (consumer, source, event_id) DO UPDATE SET handled_at = excluded.handled_at "
        "WHERE eventbridge_inbox.handled_at IS NULL RETURNING source, event_id"
    )
    assert execute(claim) == [("/shop", "an id")]
    assert execute(claim) == []
    assert InboxEntry.objects.has("growth.old", ("/shop", "an id"))
