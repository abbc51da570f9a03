"""Rows to look at, escaped, and deeds that ask for the right, are confirmed, and are written down."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models.functions import Now
from django.test import Client

from eventbridge.models import Audit, DeadLetter, InboxEntry, OutboxEntry
from eventbridge.models.outbox import NewEntry

pytestmark = pytest.mark.django_db(databases=["default", "archive"])
NASTY = "<script>alert(1)</script>\x1b[2J"


def act(client: Client, model: str, action: str, *rows: Any, query: str = "", **more: str) -> Any:
    """Choose rows and a deed, and confirm it; asking alone changes nothing."""
    data = {"action": action, "_selected_action": [row.pk for row in rows] or ["0"], **more}
    before = [*DeadLetter.objects.values_list()], [*OutboxEntry.objects.values_list()]
    asked = client.post(f"/admin/eventbridge/{model}/{query}", data, follow=True)
    assert before == ([*DeadLetter.objects.values_list()], [*OutboxEntry.objects.values_list()])
    if 'name="confirmed"' not in asked.content.decode():
        return asked
    return client.post(f"/admin/eventbridge/{model}/{query}", {**data, "confirmed": "yes"}, follow=True)


def audited() -> list[tuple[str, str, int]]:
    return list(Audit.objects.order_by("pk").values_list("who", "what", "many"))


def park() -> OutboxEntry:
    OutboxEntry.objects.record([NewEntry("a", "shop.order.saved.v1", True, "", '{"data":{"a":1}}')])
    OutboxEntry.objects.update(parked_at=Now(), parked_reason=f"refused {NASTY}")
    return OutboxEntry.objects.get()


@pytest.mark.parametrize("model", ["deadletter", "outboxentry", "inboxentry", "audit", "trailstep", "eventbus"])
def test_lists_and_searches_open(admin_client, bury, model):
    bury()
    park()
    InboxEntry.objects.create(consumer="shop.mail", source="/shop", event_id="a", handled_at=Now())
    assert admin_client.get(f"/admin/eventbridge/{model}/").status_code == 200
    assert admin_client.get(f"/admin/eventbridge/{model}/?q=a").status_code == 200


def test_a_letters_page_shows_its_story_and_body_escaped_and_changes_nothing(admin_client, bury):
    letter = bury(ValueError(NASTY), body=b'{"data":{"title":"' + NASTY[:-5].encode() + b'"}}', odd=NASTY)
    page = admin_client.get(f"/admin/eventbridge/deadletter/{letter.pk}/change/").content.decode()
    assert "<script>alert" not in page
    assert "&quot;title&quot;: &quot;&lt;script&gt;" in page
    assert "Traceback" in page
    assert 'name="_save"' not in page
    assert admin_client.get("/admin/eventbridge/deadletter/add/").status_code == 403
    assert admin_client.post(f"/admin/eventbridge/deadletter/{letter.pk}/delete/", {"post": "yes"}).status_code == 403


def test_an_entrys_page_shows_its_body_made_readable(admin_client):
    page = admin_client.get(f"/admin/eventbridge/outboxentry/{park().pk}/change/").content.decode()
    assert "&quot;a&quot;: 1" in page
    assert "<script>alert" not in page


def test_replay_marks_and_is_written_in_the_log(visitor, bury):
    letter = bury()
    page = act(visitor("view_deadletter", "change_deadletter"), "deadletter", "replay", letter)
    assert "1 dead letter marked for replay." in page.content.decode()
    letter.refresh_from_db()
    assert letter.replay_at is not None
    entry = LogEntry.objects.get()
    assert entry.object_id == str(letter.pk)
    assert entry.change_message == "marked for replay in database default"
    assert audited() == [("staff@shop.example", "dead replay", 1)]


def test_discard_deletes_and_is_written_in_the_log(visitor, bury):
    page = act(visitor("view_deadletter", "delete_deadletter"), "deadletter", "discard", bury())
    assert "1 dead letter discarded." in page.content.decode()
    assert not DeadLetter.objects.exists()
    assert LogEntry.objects.get().is_deletion()
    assert audited() == [("staff@shop.example", "dead discard", 1)]


def test_what_is_marked_is_discarded_and_what_is_in_a_consumers_hands_is_not(admin_client, bury):
    letter = bury()
    DeadLetter.objects.replay()
    DeadLetter.objects.take("shop.mail", "lease", 30, 1)
    assert "in a consumer&#x27;s hands" in admin_client.get("/admin/eventbridge/deadletter/").content.decode()
    act(admin_client, "deadletter", "discard", letter)
    assert DeadLetter.objects.exists()
    DeadLetter.objects.update(lease="")
    assert "marked for replay" in admin_client.get("/admin/eventbridge/deadletter/").content.decode()
    act(admin_client, "deadletter", "discard", letter)
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize(("action", "right"), [("replay", "delete_deadletter"), ("discard", "change_deadletter")])
def test_an_action_needs_its_own_right(visitor, bury, action, right):
    act(visitor("view_deadletter", right), "deadletter", action, bury())
    assert DeadLetter.objects.get().replay_at is None
    assert not LogEntry.objects.exists()
    assert audited() == []


def test_every_page_writes_times_alike(admin_client, bury, walk):
    letter, entry = bury(), park()
    InboxEntry.objects.create(consumer="shop.mail", source="/shop", event_id="a", handled_at=Now())
    Audit.objects.create(who="me", via="command", what="pause", many=1)
    walk("a", "recorded")
    root = "/admin/eventbridge/"
    lists = [f"{root}{model}/" for model in ("deadletter", "outboxentry", "inboxentry", "audit")]
    rows = [f"{root}deadletter/{letter.pk}/change/", f"{root}outboxentry/{entry.pk}/change/"]
    for address in [*lists, *rows, f"{root}trailstep/event/?id=a"]:
        page = admin_client.get(address).content.decode()
        assert re.search(r"\b\d{1,2} [A-Z][a-z]{2} 20\d\d, \d\d:\d\d:\d\d\b", page), address
        assert not re.search(r"\b[ap]\.m\.|>[A-Z][a-z]+\.? \d{1,2}, 20\d\d", page), address


def test_a_letters_page_says_in_words_what_became_of_it(admin_client, bury):
    page = admin_client.get(f"/admin/eventbridge/deadletter/{bury().pk}/change/").content.decode()
    assert "shop.mail gave up on shop.order.saved.v1" in page


def test_who_may_only_look_is_offered_no_action(visitor, bury):
    bury()
    page = visitor("view_deadletter").get("/admin/eventbridge/deadletter/").content.decode()
    assert "shop.mail" in page
    assert 'value="replay"' not in page
    assert 'value="discard"' not in page


def test_parked_events_are_retried_or_discarded(admin_client):
    entry = park()
    act(admin_client, "outboxentry", "retry", entry)
    entry.refresh_from_db()
    assert entry.parked_at is None
    act(admin_client, "outboxentry", "discard", entry)
    assert OutboxEntry.objects.exists(), "a pending event is not to be discarded"
    OutboxEntry.objects.update(parked_at=Now())
    act(admin_client, "outboxentry", "discard", entry)
    assert not OutboxEntry.objects.exists()
    assert [what for _, what, _ in audited()] == ["outbox retry", "outbox discard"]


# --- groups --------------------------------------------------------------------------------------


def test_letters_are_shown_by_what_they_have_in_common(admin_client, bury):
    for _ in range(3):
        bury(TimeoutError("too late"))
    bury(ValueError("no stock"), consumer="shop.search")
    page = admin_client.get("/admin/eventbridge/deadletter/")
    groups = [(group["consumer"], group["exception"], group["count"]) for group in page.context["groups"]]
    assert groups == [("shop.mail", "TimeoutError", 3), ("shop.search", "ValueError", 1)]
    assert "Replay all of them" in page.content.decode()


def test_a_group_is_replayed_and_no_other(admin_client, bury):
    late, other = [bury(TimeoutError("too late")) for _ in range(3)], bury(ValueError("no stock"))
    group = next(g for g in admin_client.get("/admin/eventbridge/deadletter/").context["groups"] if g["count"] == 3)
    page = act(admin_client, "deadletter", "replay", query=f"?{group['query']}", select_across="1")
    assert "3 dead letters marked for replay." in page.content.decode()
    assert set(DeadLetter.objects.exclude(replay_at=None)) == set(late)
    assert other in DeadLetter.objects.filter(replay_at=None)
    entry = Audit.objects.get()
    assert (entry.what, entry.many) == ("dead replay", 3)
    assert "exception=TimeoutError" in entry.about
    assert not LogEntry.objects.exists(), "a group is one entry of the audit, not one for each letter"


def test_a_group_without_an_exception_or_with_odd_names_is_its_own(admin_client, bury):
    odd = bury(consumer="shop.a&b=c d", reason=DeadLetter.Reason.MALFORMED)
    DeadLetter.objects.filter(pk=odd.pk).update(exception="", type="")
    bury(ValueError("no stock"))
    group = next(g for g in admin_client.get("/admin/eventbridge/deadletter/").context["groups"] if not g["exception"])
    page = admin_client.get(f"/admin/eventbridge/deadletter/?{group['query']}")
    assert [letter.pk for letter in page.context["cl"].result_list] == [odd.pk]
    act(admin_client, "deadletter", "discard", query=f"?{group['query']}", select_across="1")
    assert DeadLetter.objects.count() == 1


def test_what_was_asked_shows_what_it_would_be_done_to(admin_client, bury):
    letters = [bury(ValueError(NASTY)) for _ in range(25)]
    data = {"action": "discard", "_selected_action": [letter.pk for letter in letters]}
    page = admin_client.post("/admin/eventbridge/deadletter/", data).content.decode()
    assert "Discard 25 dead letters?" in page
    assert "and 5 more" in page
    assert "cannot be undone" in page


def test_what_is_done_by_a_forged_form_is_refused(bury, django_user_model, settings):
    settings.ROOT_URLCONF = "demo_project.urls"  # whose page says so
    letter = bury()
    client = Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create_superuser("root@shop.example", "p"))
    data = {"action": "discard", "_selected_action": [letter.pk], "confirmed": "yes"}
    assert client.post("/admin/eventbridge/deadletter/", data).status_code == 403
    assert DeadLetter.objects.exists()


def test_one_letter_that_is_replayed_leads_to_its_journey(admin_client, bury, settings):
    letter = bury()
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRAIL": True}
    page = act(admin_client, "deadletter", "replay", letter)
    assert page.redirect_chain == [(f"/admin/eventbridge/trailstep/event/?id={letter.event_id}", 302)]
    assert "marked for replay" in page.content.decode()


def test_a_list_counts_no_further_than_ten_thousand(admin_client):
    InboxEntry.objects.bulk_create(
        InboxEntry(consumer="shop.mail", source="/shop", event_id=str(n), handled_at=Now()) for n in range(10_050)
    )
    assert admin_client.get("/admin/eventbridge/inboxentry/").context["cl"].result_count == 10_000


def test_the_outbox_is_shown_by_its_state_and_by_the_types_that_are_known(admin_client):
    OutboxEntry.objects.record(
        [NewEntry(name, f"shop.order.{name}.v1", True, "", "{}") for name in ("saved", "deleted")]
    )
    OutboxEntry.objects.filter(event_id="deleted").update(parked_at=Now())

    def shown(query: str) -> list[str]:
        page = admin_client.get(f"/admin/eventbridge/outboxentry/{query}")
        return [entry.event_id for entry in page.context["cl"].result_list]

    assert sorted(shown("")) == ["deleted", "saved"]
    assert shown("?state=pending") == ["saved"]
    assert shown("?state=parked") == ["deleted"]
    assert shown("?type=shop.order.saved.v1") == ["saved"]


def test_what_cannot_be_undone_is_not_done_by_the_key_that_is_pressed_first(admin_client, bury):
    data = {"_selected_action": [bury().pk]}
    for action, focused in (("discard", "take me back"), ("replay", "Replay</button>")):
        page = admin_client.post("/admin/eventbridge/deadletter/", {**data, "action": action}).content.decode()
        assert page.count("autofocus") == 1
        assert focused in page.partition("autofocus")[2][:40]
