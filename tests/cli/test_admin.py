"""The admin's pages: rows to look at, escaped, and actions that ask for the right and are written down."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client

from eventbridge.models import DeadLetter, InboxEntry, OutboxEntry
from eventbridge.models.outbox import NewEntry
from tests.shop.models import User

pytestmark = pytest.mark.django_db
NASTY = "<script>alert(1)</script>\x1b[2J"


@pytest.fixture
def visitor(client: Client) -> Callable[..., Client]:
    """A member of staff with these permissions of eventbridge's models, logged in."""

    def log_in(*codenames: str) -> Client:
        user = User.objects.create_user("staff@shop.example", "p", is_staff=True)
        user.user_permissions.set(
            Permission.objects.filter(content_type__app_label="eventbridge", codename__in=codenames)
        )
        client.force_login(user)
        return client

    return log_in


def act(client: Client, model: str, action: str, *rows: Any) -> Any:
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(f"/admin/eventbridge/{model}/", data, follow=True)


def park() -> OutboxEntry:
    OutboxEntry.objects.record([NewEntry("a", "shop.order.saved.v1", True, "", '{"data":{"a":1}}')])
    OutboxEntry.objects.update(parked_at=Now(), parked_reason=f"refused {NASTY}")
    return OutboxEntry.objects.get()


@pytest.mark.parametrize("model", ["deadletter", "outboxentry", "inboxentry"])
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
    assert entry.change_message == "marked for replay"


def test_discard_deletes_and_is_written_in_the_log(visitor, bury):
    page = act(visitor("view_deadletter", "delete_deadletter"), "deadletter", "discard", bury())
    assert "1 dead letter discarded." in page.content.decode()
    assert not DeadLetter.objects.exists()
    assert LogEntry.objects.get().is_deletion()


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
    assert LogEntry.objects.count() == 2
