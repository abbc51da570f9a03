"""Every page of ours in the admin, and every deed on it, asks for the right; no page forgets to."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from eventbridge.models import DeadLetter, Hold, InboxEntry, OutboxEntry
from tests.shop.models import User

pytestmark = pytest.mark.django_db(databases=["default", "archive"])
OURS = {model: page for model, page in site._registry.items() if model._meta.app_label == "eventbridge"}


@pytest.fixture(autouse=True)
def rows(settings: Any) -> None:
    """One of each that deeds are for."""
    settings.ROOT_URLCONF = "demo_project.urls"  # it has a page for what is not found
    entry = {"event_id": "a", "type": "shop.order.saved.v1", "body": "{}"}
    OutboxEntry.objects.create(pk=1, parked_at=Now(), parked_reason="refused", **entry)
    DeadLetter.objects.create(pk=1, consumer="shop.mail", fingerprint="a", body=b"{}", reason="failed", event_id="a")
    InboxEntry.objects.create(pk=1, consumer="shop.mail", source="/shop", event_id="a", handled_at=Now())


def everything() -> list[Any]:
    return [list(model.objects.values()) for model in (OutboxEntry, DeadLetter, InboxEntry, Hold)]


def pages() -> Iterator[str]:
    for model, page in OURS.items():
        root = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for url in page.get_urls():
            yield root + str(url.pattern).replace("<path:object_id>", "1")


def deeds() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every action of every list, asked for and confirmed, on all rows."""
    for model, page in OURS.items():
        root = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for action in [*(page.actions or ()), "delete_selected"]:
            data = {"action": action, "_selected_action": ["1"], "post": "yes", "confirmed": "1"}
            yield root, data
            yield root, {**data, "select_across": "1"}
            yield f"{root}1/change/", data


def log_in(client: Client, **wanted: Any) -> Client:
    user = User.objects.create_user("staff@shop.example", "p", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="eventbridge", **wanted))
    client.force_login(user)
    return client


def test_strangers_are_sent_to_the_login(client: Client):
    for path in pages():
        for ask in (client.get, client.post):
            assert ask(path).headers.get("Location", "").startswith("/admin/login/"), path


def test_staff_without_rights_see_nothing_and_change_nothing(client: Client):
    before = everything()
    log_in(client, codename="none")
    for path in pages():
        for ask in (client.get, client.post):
            answer = ask(path)
            assert answer.status_code in (302, 403, 404), (path, answer)
            assert b"shop.mail" not in answer.content
    for path, data in deeds():
        client.post(path, data)
    assert everything() == before


def test_whoever_may_only_look_changes_nothing(client: Client):
    before = everything()
    log_in(client, codename__startswith="view_")
    for path, data in deeds():
        client.post(path, data)
    for path in pages():
        client.post(path, {"post": "yes", "_save": "1", "consumer": "another"})
    assert everything() == before


def test_nobody_writes_or_deletes_a_row_by_hand(client: Client):
    """Not even with every right: rows change by deeds."""
    before = everything()
    log_in(client)
    for model in OURS:
        root = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for page in ("add/", "1/change/", "1/delete/"):
            client.post(root + page, {"post": "yes", "_save": "1", "consumer": "another"})
        client.post(root, {"action": "delete_selected", "_selected_action": ["1"], "post": "yes"})
    assert everything() == before


def test_whoever_has_every_right_may(client: Client):
    """Or all that is refused above would prove nothing."""
    before = everything()
    log_in(client)
    for path, data in deeds():
        client.post(path, data)
    assert everything() != before
