"""eventbridge outbox: what waits for the broker, and what it did not take."""

import json

import pytest
from django.core.management.base import CommandError
from django.db.models.functions import Now

from eventbridge.models import OutboxEntry
from eventbridge.models.outbox import NewEntry

pytestmark = pytest.mark.django_db(databases=["default", "archive"])


def record(*ids: str, kind: str = "shop.order.saved.v1", parked: str = "", using: str = "default") -> None:
    OutboxEntry.objects.using(using).record([NewEntry(i, kind, True, "", "{}") for i in ids])
    if parked:
        OutboxEntry.objects.using(using).filter(event_id__in=ids).update(parked_at=Now(), parked_reason=parked)


def ids(**conditions: object) -> list[str]:
    return list(OutboxEntry.objects.filter(**conditions).values_list("event_id", flat=True))


def test_an_empty_outbox_is_said_in_words(run):
    assert run("outbox", "list").out == "The outbox is empty.\n"
    assert run("outbox", "list", "--parked").out == "No event is parked.\n"


def test_the_list_says_what_is_pending_and_what_is_parked_and_why(run):
    record("a")
    record("b", parked="no queue is bound for its type \x1b[2J")
    out = run("outbox", "list").out
    assert "pending" in out
    assert "parked: no queue is bound for its type \\x1b[2J" in out
    assert [item["event_id"] for item in json.loads(run("outbox", "list", "--pending", "--json").out)] == ["a"]
    assert [item["event_id"] for item in json.loads(run("outbox", "list", "--parked", "--json").out)] == ["b"]
    assert "1 more" in run("outbox", "list", "--limit", "1").out


def test_retry_gives_parked_events_back_to_the_relay_in_their_place(run):
    record("a", "b", parked="refused")
    assert run("outbox", "retry", "--all").out == "2 parked events given back to the relay.\n"
    assert ids(parked_at=None, parked_reason="") == ["a", "b"]


def test_retry_takes_a_type(run):
    record("a", parked="refused")
    record("b", kind="shop.order.deleted.v1", parked="refused")
    run("outbox", "retry", "--type", "shop.order.deleted.v1")
    assert ids(parked_at=None) == ["b"]


def test_discard_deletes_parked_events_only(run):
    record("a", parked="refused")
    record("b")
    run("outbox", "discard", "--all")
    assert ids() == ["b"]


@pytest.mark.parametrize("verb", ["retry", "discard"])
def test_a_pending_event_is_not_to_be_touched(run, verb):
    record("a")
    with pytest.raises(CommandError, match="There is no parked event"):
        run("outbox", verb, str(OutboxEntry.objects.get().pk))
    assert run("outbox", verb, "--all").out == f"There is no such parked event: nothing to {verb}.\n"
    assert ids() == ["a"]


def test_another_database_has_an_outbox_of_its_own(run):
    record("a", parked="refused", using="archive")
    assert "refused" in run("outbox", "list", "--database", "archive").out
    run("outbox", "retry", "--all", "--database", "archive")
    assert OutboxEntry.objects.using("archive").get().parked_at is None
