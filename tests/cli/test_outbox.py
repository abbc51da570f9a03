"""eventbridge outbox: what waits for the broker, and what it did not take."""

import json

import pytest
from django.core.management.base import CommandError
from django.db.models.functions import Now

from eventbridge.models import Heartbeat, OutboxEntry
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


@pytest.mark.parametrize("verb", ["retry", "discard"])
def test_what_was_done_is_told_to_programs_as_one_document(run, verb):
    record("a", "b", parked="refused")
    chosen = list(OutboxEntry.objects.values_list("pk", flat=True))
    planned = run("outbox", verb, "--all", "--dry-run", "--json")
    assert json.loads(planned.out) == {"chosen": chosen, "changed": 0, "dry_run": True}
    done = run("outbox", verb, "--all", "--json")
    assert json.loads(done.out) == {"chosen": chosen, "changed": 2, "dry_run": False}
    assert json.loads(run("outbox", verb, "--all", "--json").out) == {"chosen": [], "changed": 0, "dry_run": False}


def test_retry_says_when_no_relay_is_there_to_publish(run):
    record("a", parked="refused")
    said = "No relay of database default is running: they are published when one is started.\n"
    assert run("outbox", "retry", "--all", "--dry-run").err == ""
    assert run("outbox", "retry", "--all").err == said
    record("b", parked="refused")
    Heartbeat.objects.beat("web1:10", "relay", "default", "ready", {})
    assert run("outbox", "retry", "--all").err == ""


def test_what_is_parked_is_listed_with_what_to_do(run):
    record("a")
    assert "retry" not in run("outbox", "list").out
    record("b", parked="no queue is bound for its type")
    out = run("outbox", "list").out
    assert "manage.py eventbridge topology --apply" in out
    assert out.endswith("    manage.py eventbridge outbox retry --all\n")


def test_that_none_matches_is_not_that_the_outbox_is_empty(run):
    record("a")
    assert "No event of type shop.x.v1 matches" in run("outbox", "list", "--type", "shop.x.v1").out
    assert run("outbox", "list", "--parked").out == "No event is parked.\n"
    OutboxEntry.objects.update(parked_at=Now())
    assert run("outbox", "list", "--pending").out == "No event is pending.\n"


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
    assert "outbox retry --all --database archive" in run("outbox", "list", "--database", "archive").out
    run("outbox", "retry", "--all", "--database", "archive")
    assert OutboxEntry.objects.using("archive").get().parked_at is None
