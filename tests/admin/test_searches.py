"""An event is found in tables that have no index on its id, and they are not read from end to end for it."""

import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from eventbridge.event import uuid7
from eventbridge.models import InboxEntry, OutboxEntry
from eventbridge.models.outbox import NewEntry

pytestmark = pytest.mark.django_db
MANY = 12_000


def at(milliseconds: int) -> str:
    """An event's id, of that moment."""
    start = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
    made = f"{start + milliseconds:012x}{uuid7().replace('-', '')[12:]}"
    return "-".join((made[:8], made[8:12], made[12:16], made[16:20], made[20:]))


@pytest.fixture
def outbox() -> list[str]:
    """The ids of a long outbox, in its order: with gaps, parked ones, and writers whose clocks differ by a second."""
    clocks = random.Random(7)
    ids = [at(n * 5 + clocks.randrange(1000)) for n in range(MANY)]
    OutboxEntry.objects.record([NewEntry(event_id, "shop.a.v1", True, "", "{}") for event_id in ids])
    OutboxEntry.objects.filter(event_id__in=ids[100:4000:3] + ids[6000:11_000]).delete()
    kept = list(OutboxEntry.objects.order_by("id").values_list("event_id", flat=True))
    OutboxEntry.objects.filter(event_id__in=kept[:50]).update(parked_at=Now())
    return kept


def test_an_event_is_found_in_a_long_outbox_wherever_it_lies(outbox: list[str]) -> None:
    for event_id in (outbox[0], outbox[49], outbox[-1], *random.Random(8).sample(outbox, 40)):
        found = OutboxEntry.objects.seek(event_id)
        assert found
        assert found.event_id == event_id


def test_an_event_that_is_not_in_the_outbox_is_not_found(outbox: list[str]) -> None:
    for event_id in (at(-5_000), at(1), at(MANY * 5 + 60_000), "not-an-id", ""):
        assert OutboxEntry.objects.seek(event_id) is None
    OutboxEntry.objects.all().delete()
    assert OutboxEntry.objects.seek(outbox[0]) is None


def test_few_entries_are_looked_at(outbox: list[str]) -> None:
    with CaptureQueriesContext(connection) as asked:
        OutboxEntry.objects.seek(outbox[3000])
    assert len(asked) <= 6
    first, last = map(int, re.findall(r"BETWEEN (-?\d+) AND (\d+)", asked[-1]["sql"])[0])
    assert last - first <= 6_000


def test_what_every_consumer_made_of_an_event_is_found_with_the_unique_index_alone() -> None:
    pairs = [(f"shop.{name}", source) for name in ("mail", "search", "stock") for source in ("/shop", "/other", "")]
    InboxEntry.objects.bulk_create(
        InboxEntry(consumer=consumer, source=source, event_id=str(n), handled_at=Now() - timedelta(days=n))
        for consumer, source in pairs
        for n in range(3)
    )
    found = InboxEntry.objects.of_event("2")
    assert sorted((row.consumer, row.source) for row in found) == sorted(pairs)
    assert {row.event_id for row in found} == {"2"}
    assert not InboxEntry.objects.of_event("elsewhere")
    assert [row.source for row in InboxEntry.objects.filter(consumer="shop.mail").of_event("1").order_by("source")] == [
        "",
        "/other",
        "/shop",
    ]


def test_the_inbox_page_finds_an_event_and_an_empty_search_shows_all(admin_client) -> None:
    for event_id in ("a", "b"):
        InboxEntry.objects.create(consumer="shop.mail", source="/shop", event_id=event_id, handled_at=Now())

    def shown(query: str) -> list[str]:
        page = admin_client.get(f"/admin/eventbridge/inboxentry/{query}")
        return [row.event_id for row in page.context["cl"].result_list]

    assert shown("?q=a") == ["a"]
    assert shown("?q=c") == []
    assert shown("?q=") == ["b", "a"]


def test_where_there_are_very_many_sources_an_event_is_found_all_the_same(monkeypatch) -> None:
    monkeypatch.setattr("eventbridge.models.inbox._MOST_PAIRS", 2)
    for n in range(4):
        InboxEntry.objects.create(consumer="shop.mail", source=f"/shop/{n}", event_id="a", handled_at=Now())
    assert len(InboxEntry.objects.of_event("a")) == 4
