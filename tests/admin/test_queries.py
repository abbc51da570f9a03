"""The pages stay fast however long the tables are: what they ask goes by an index."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.growth.pages import TRAIL, addresses, fill

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "archive"]),
    pytest.mark.postgresql,
    pytest.mark.timeout(180),
    pytest.mark.urls("demo_project.urls"),
]
LARGE = {f"eventbridge_{name}" for name in ("trail", "outbox", "inbox", "dead_letter")}
"""Not the embedded broker's queue, of which it is counted what is ready, held and delayed."""


@pytest.fixture
def full(settings: Any) -> str:
    """60,000 rows in each, and a tenth as many dead letters; an event that waits."""
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRAIL": True}
    return fill("default", 60_000)


def scanned(plan: dict[str, Any]) -> set[str]:
    """The tables of which a plan reads every row."""
    here = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return here.union(*(scanned(part) for part in plan.get("Plans", ())))


def explained(statement: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}".replace("%", "%%"), ())
        plan = cursor.fetchone()[0]
    return (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]


def test_no_page_reads_more_of_a_long_table_than_it_shows(admin_client: Client, full: str) -> None:
    asked: dict[str, list[str]] = {}
    for name, address in addresses(full).items():
        with CaptureQueriesContext(connection) as captured:
            page = admin_client.get(address)
            if older := (page.context or {}).get("older"):
                admin_client.get(f"{TRAIL}?{older}")
        asked[name] = [query["sql"] for query in captured if any(table in query["sql"] for table in LARGE)]
        assert asked[name], name
        for statement in asked[name]:
            assert not scanned(explained(statement)) & LARGE, f"{name}: {statement}"
    everything = " ".join(asked["the event bus"])
    assert all(f"eventbridge_{name}" in everything for name in ("trail", "outbox", "dead_letter"))


def test_the_event_that_waits_is_found(admin_client: Client, full: str) -> None:
    """Or its journey would cost nothing."""
    page = admin_client.get(addresses(full)["a journey, of an event that waits"])
    assert page.context["found"].entry.event_id == full


@pytest.mark.usefixtures("full")
def test_a_table_without_the_index_would_be_noticed() -> None:
    columns = {"trail": "note", "inbox": "source", "outbox": "event_id", "dead_letter": "error"}
    for name, column in columns.items():
        table = f"eventbridge_{name}"
        assert table in scanned(explained(f"SELECT * FROM {table} WHERE {column} = 'x'"))  # noqa: S608
