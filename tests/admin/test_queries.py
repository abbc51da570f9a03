"""The trail's pages stay fast however long the trail is: every query of theirs uses an index."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

pytestmark = [pytest.mark.django_db(databases=["default", "archive"]), pytest.mark.postgresql]
TRAIL = "/admin/eventbridge/trailstep/"
FILL = """
    INSERT INTO eventbridge_trail (event_id, type, subject, cause, what, at, consumer, attempt, note)
    SELECT 'event-' || e, 'shop.type' || e % 30, CASE step WHEN 2 THEN '' ELSE (e % 5000)::text END,
        CASE e % 10 WHEN 0 THEN 'event-' || e + 1 ELSE '' END, (ARRAY['recorded', 'relayed', 'handled'])[step],
        now() - e * interval '5 s' + step * interval '20 ms', CASE step WHEN 3 THEN 'shop.mail' ELSE '' END, 1, ''
    FROM generate_series(1, 40000) AS e, generate_series(1, 3) AS step
"""


@pytest.fixture
def long_trail(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL)
        cursor.execute("ANALYZE eventbridge_trail")


def scanned(plan: dict) -> list[str]:
    """The tables of which a plan reads every row."""
    here = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return here + [table for part in plan.get("Plans", ()) for table in scanned(part)]


def explained(statement: str) -> dict:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}".replace("%", "%%"), ())
        plan = cursor.fetchone()[0]
    return (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]


ADDRESSES = (
    TRAIL,
    f"{TRAIL}?q=31",
    f"{TRAIL}?q=event-77",
    f"{TRAIL}?type=shop.type7",
    f"{TRAIL}?type=none",
    f"{TRAIL}?type=shop.type7&q=37",
    f"{TRAIL}?since=2020-01-01T00:00&until=2100-01-01T00:00",
    f"{TRAIL}event/?id=event-77",
    "/admin/eventbridge/eventbus/",
)


@pytest.mark.timeout(180)
def test_no_page_reads_more_of_the_trail_than_it_shows(admin_client, long_trail, settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRAIL": True}
    for address in ADDRESSES:
        with CaptureQueriesContext(connection) as captured:
            page = admin_client.get(address)
            if older := (page.context or {}).get("older"):
                admin_client.get(f"{TRAIL}?{older}")
        asked = [query["sql"] for query in captured if "eventbridge_trail" in query["sql"]]
        assert asked, address
        for statement in asked:
            assert "eventbridge_trail" not in scanned(explained(statement)), f"{address}: {statement}"


def test_a_table_without_the_index_would_be_noticed(long_trail):
    assert "eventbridge_trail" in scanned(explained("SELECT * FROM eventbridge_trail WHERE note = 'x'"))
