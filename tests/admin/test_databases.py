"""Where there are several databases, each page is about one of them, and deeds are done there."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.db.models.functions import Now

from eventbridge.models import Audit, DeadLetter, InboxEntry, OutboxEntry
from eventbridge.models.outbox import NewEntry
from tests.admin.test_rows import act

pytestmark = pytest.mark.django_db(databases=["default", "archive"])
BUS, DEAD, OUTBOX = (f"/admin/eventbridge/{model}/" for model in ("eventbus", "deadletter", "outboxentry"))


def park(using: str) -> OutboxEntry:
    OutboxEntry.objects.using(using).record([NewEntry(f"of {using}", "shop.a.v1", True, "", '{"price": 3}')])
    OutboxEntry.objects.using(using).update(parked_at=Now(), parked_reason="refused")
    return OutboxEntry.objects.using(using).get()


def listed(client: Any, address: str) -> list[Any]:
    return list(client.get(address).context["cl"].result_list)


@pytest.mark.parametrize("model", [DeadLetter, OutboxEntry, InboxEntry, Audit])
def test_a_list_offers_every_database_and_shows_the_rows_of_one(admin_client, model):
    new = {
        DeadLetter: {"consumer": "shop.mail", "fingerprint": "a", "body": b"{}", "reason": "failed"},
        OutboxEntry: {"event_id": "a", "type": "shop.a.v1", "body": "{}"},
        InboxEntry: {"consumer": "shop.mail", "source": "/shop", "event_id": "a", "handled_at": Now()},
        Audit: {"who": "me", "via": "command", "what": "dead replay", "many": 1},
    }
    row = model.objects.using("archive").create(**new[model])
    address = f"/admin/eventbridge/{model._meta.model_name}/"
    page = admin_client.get(address)
    assert list(page.context["cl"].result_list) == []
    assert [choice["display"] for choice in page.context["cl"].filter_specs[0].choices(page.context["cl"])] == [
        "default",
        "archive",
    ]
    assert listed(admin_client, f"{address}?database=default") == []
    assert listed(admin_client, f"{address}?database=archive") == [row]
    assert listed(admin_client, f"{address}?database=archive")[0]._state.db == "archive"


def test_where_there_is_one_database_nothing_is_said_of_it(admin_client, bury, monkeypatch):
    bury()
    for module in ("status", "admin.databases", "admin.whereabouts"):
        monkeypatch.setattr(f"eventbridge.{module}.databases", lambda: ["default"])
    for address in (BUS, DEAD, f"{DEAD}{DeadLetter.objects.get().pk}/change/"):
        assert "database=" not in admin_client.get(address).content.decode()
    assert not admin_client.get(DEAD).context["cl"].has_filters


def test_the_bus_page_leads_to_the_rows_it_counts(admin_client, bury):
    letter, entry = bury(using="archive"), park("archive")
    page = admin_client.get(BUS).content.decode()
    for address, row in (
        (f"{DEAD}?consumer=shop.mail&database=archive", letter),
        (f"{OUTBOX}?state=parked&database=archive", entry),
    ):
        assert f'href="{address.replace("&", "&amp;")}"' in page
        assert listed(admin_client, address) == [row]


def test_a_consumer_that_has_dead_letters_in_two_databases_shows_both(admin_client, bury):
    bury(), bury(), bury(using="archive")
    page = admin_client.get(BUS).content.decode()
    assert "2 dead in default" in page
    assert "1 dead in archive" in page


def test_a_row_is_read_where_it_is_and_its_list_leads_there(admin_client, bury):
    bury(ValueError("of the first"))
    there = bury(ValueError("of the other"), using="archive")
    page = admin_client.get(f"{DEAD}?database=archive").content.decode()
    [address] = re.findall(rf'href="({DEAD}{there.pk}/change/[^"]*)"', page)
    story = admin_client.get(unescape(address)).content.decode()
    assert "of the other" in story
    assert 'action="/admin/eventbridge/deadletter/?database=archive"' in story


@pytest.mark.parametrize(("deed", "left"), [("replay", 1), ("discard", 0)])
@pytest.mark.parametrize("across", ["0", "1"])
def test_what_is_done_to_letters_is_done_and_written_down_in_their_database(admin_client, bury, deed, left, across):
    bury(ValueError("of the first"))
    there = bury(ValueError("of the other"), using="archive")
    query = "?database=archive" if across == "0" else "?exception=ValueError&database=archive"
    act(admin_client, "deadletter", deed, there, query=query, select_across=across)
    letters = DeadLetter.objects.using("archive")
    assert (letters.count(), letters.exclude(replay_at=None).count()) == (left, left)
    assert DeadLetter.objects.filter(replay_at=None).count() == 1, "the first database's is as it was"
    assert [entry.what for entry in Audit.objects.using("archive").all()] == [f"dead {deed}"]
    assert not Audit.objects.exists()
    assert [entry.change_message for entry in LogEntry.objects.all()] == (
        [f"{'discarded' if deed == 'discard' else 'marked for replay'} in database archive"] if across == "0" else []
    )


def test_groups_are_those_of_the_database_and_their_buttons_act_there(admin_client, bury):
    bury(ValueError("a")), bury(TimeoutError("b"), using="archive")
    [group] = admin_client.get(f"{DEAD}?database=archive").context["groups"]
    assert group["exception"] == "TimeoutError"
    act(admin_client, "deadletter", "replay", query=f"?{group['query']}", select_across="1")
    assert DeadLetter.objects.using("archive").exclude(replay_at=None).count() == 1
    assert not DeadLetter.objects.exclude(replay_at=None).exists()


def test_what_is_parked_is_retried_and_discarded_in_its_database(admin_client):
    here, there = park("default"), park("archive")
    act(admin_client, "outboxentry", "retry", there, query="?database=archive")
    there.refresh_from_db()
    here.refresh_from_db()
    assert there.parked_at is None
    assert here.parked_at is not None
    OutboxEntry.objects.using("archive").update(parked_at=Now())
    act(admin_client, "outboxentry", "discard", there, query="?database=archive")
    assert not OutboxEntry.objects.using("archive").exists()
    assert OutboxEntry.objects.exists()


def test_a_journey_finds_what_lies_in_any_database(admin_client, bury):
    letter = bury(using="archive")
    park("archive")
    page = admin_client.get(f"/admin/eventbridge/trailstep/event/?id={letter.event_id}").content.decode()
    assert f"/admin/eventbridge/deadletter/{letter.pk}/change/?database=archive" in page
    page = admin_client.get("/admin/eventbridge/trailstep/event/?id=of+archive").content.decode()
    assert "/change/?database=archive" in page
    assert "&quot;price&quot;: 3" in page


def test_a_journey_says_which_database_could_not_be_asked(admin_client, bury, monkeypatch):
    letter = bury()
    real = DeadLetter.objects.using

    def using(alias: str) -> Any:
        if alias == "archive":
            raise OperationalError("gone")
        return real(alias)

    monkeypatch.setattr(DeadLetter.objects, "using", using)
    page = admin_client.get(f"/admin/eventbridge/trailstep/event/?id={letter.event_id}").content.decode()
    assert f"/admin/eventbridge/deadletter/{letter.pk}/change/" in page
    assert "Database archive could not be asked" in page


def test_a_database_that_cannot_be_asked_is_said_on_the_usual_list(admin_client, bury, monkeypatch):
    bury()
    monkeypatch.setattr(
        "eventbridge.admin.rows.CappedPaginator.count", property(lambda pages: _count(pages.object_list)), raising=True
    )
    page = admin_client.get(f"{DEAD}?database=archive", follow=True)
    assert page.redirect_chain == [(DEAD, 302)]
    assert "Database archive cannot be asked: gone" in page.content.decode()
    assert "shop.mail" in page.content.decode()


def _count(rows: Any) -> int:
    if rows.db == "archive":
        raise OperationalError("gone")
    return len(rows)


def test_a_database_that_is_not_there_has_no_page(admin_client, settings):
    settings.ROOT_URLCONF = "demo_project.urls"
    assert admin_client.get(f"{DEAD}?database=elsewhere").status_code == 404
