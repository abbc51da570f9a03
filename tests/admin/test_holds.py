"""A relay or a consumer is paused and resumed on the web: asked first, by its own right, and written down."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from eventbridge.admin.answers import answer_to
from eventbridge.models import Audit, Heartbeat, Hold, OutboxEntry
from eventbridge.models.outbox import NewEntry
from tests.admin.test_bus import beat
from tests.admin.test_databases import park

pytestmark = pytest.mark.django_db(databases=["default", "archive"])
BUS = "/admin/eventbridge/eventbus/"
MAIL = urlencode({"role": "consumer", "name": "shop.mail"})
NASTY = "<script>alert(1)</script>\x1b[2J"


@pytest.fixture(autouse=True)
def _running(settings: Any) -> None:
    settings.ROOT_URLCONF = "demo_project.urls"  # it has a page for what is not found
    beat("shop.mail")
    beat("default", role="relay", process="host:2")


def held(using: str = "default") -> list[tuple[str, str, str, str]]:
    return list(Hold.objects.using(using).order_by("pk").values_list("role", "name", "reason", "who"))


def audited(using: str = "default") -> list[tuple[str, str, str, str]]:
    return list(Audit.objects.using(using).order_by("pk").values_list("who", "via", "what", "about"))


def test_a_consumer_is_paused_with_a_reason_and_resumed_and_both_are_written_down(visitor):
    client = visitor("view_eventbus", "add_hold", "delete_hold")
    page = client.get(BUS).content.decode()
    assert f'href="{BUS}pause/?{MAIL.replace("&", "&amp;")}"' in page
    asked = client.get(f"{BUS}pause/?{MAIL}").content.decode()
    assert "Pause the consumer shop.mail?" in asked
    assert 'name="reason"' in asked
    assert held() == [], "asking changes nothing"
    done = client.post(f"{BUS}pause/?{MAIL}", {"reason": " the mail server is down "}, follow=True)
    assert "The consumer shop.mail is paused." in done.content.decode()
    assert held() == [("consumer", "shop.mail", "the mail server is down", "staff@shop.example")]
    page = client.get(BUS).content.decode()
    assert f'href="{BUS}resume/?{MAIL.replace("&", "&amp;")}"' in page
    assert "the mail server is down (staff@shop.example)" in client.get(f"{BUS}resume/?{MAIL}").content.decode()
    client.post(f"{BUS}resume/?{MAIL}")
    assert held() == []
    who, via = "staff@shop.example", "admin"
    assert audited() == [
        (who, via, "pause", "consumer shop.mail: the mail server is down"),
        (who, via, "resume", "consumer shop.mail"),
    ]


def test_the_relay_of_each_database_is_paused_there(admin_client):
    OutboxEntry.objects.using("archive").record([NewEntry("a", "shop.a.v1", True, "", "{}")])
    query = urlencode({"role": "relay", "name": "archive"})
    assert f"{BUS}pause/?{query.replace('&', '&amp;')}" in admin_client.get(BUS).content.decode()
    admin_client.post(f"{BUS}pause/?{query}")
    assert [hold[:2] for hold in held("archive")] == [("relay", "archive")]
    assert [entry[2:] for entry in audited("archive")] == [("pause", "relay archive")]
    assert held() == audited() == []


def test_a_consumer_is_paused_in_every_database_that_knows_of_it(admin_client):
    Heartbeat.objects.using("archive").beat("host:1", "consumer", "shop.mail", "ready", {})
    admin_client.post(f"{BUS}pause/?{MAIL}")
    assert [hold[1] for hold in held() + held("archive")] == ["shop.mail", "shop.mail"]
    admin_client.post(f"{BUS}resume/?{MAIL}")
    assert held() == held("archive") == []


def test_what_is_paused_can_be_resumed_when_none_of_its_processes_is_there(admin_client):
    Hold.objects.put("consumer", "shop.gone", "", "me")
    query = urlencode({"role": "consumer", "name": "shop.gone"})
    admin_client.post(f"{BUS}resume/?{query}")
    assert held() == []
    again = admin_client.post(f"{BUS}resume/?{MAIL}", follow=True)
    assert "The consumer shop.mail was not paused." in again.content.decode()
    assert [entry[2:] for entry in audited()] == [("resume", "consumer shop.gone")]


@pytest.mark.parametrize(("verb", "other"), [("pause", "delete_hold"), ("resume", "add_hold")])
def test_each_needs_its_own_right(visitor, verb, other):
    Hold.objects.put("consumer", "shop.mail", "", "me")
    client = visitor("view_eventbus", "change_eventbus", "view_hold", "change_hold", other)
    before = held()
    for ask in (client.get, client.post):
        assert ask(f"{BUS}{verb}/?{MAIL}").status_code == 403
    assert held() == before
    assert f"{BUS}{verb}/" not in client.get(BUS).content.decode()
    assert audited() == []


@pytest.mark.parametrize("query", ["", "role=consumer&name=shop.male", "role=relay&name=shop.mail"])
def test_nothing_is_paused_that_nobody_knows(admin_client, query):
    assert admin_client.post(f"{BUS}pause/?{query}").status_code == 404
    assert held() == []


def test_a_forged_form_pauses_nothing(django_user_model):
    client = Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create_superuser("root@shop.example", "p"))
    assert client.post(f"{BUS}pause/?{MAIL}").status_code == 403
    assert held() == []


def test_a_reason_steers_no_page(admin_client):
    admin_client.post(f"{BUS}pause/?{MAIL}", {"reason": NASTY})
    page = admin_client.get(f"{BUS}resume/?{MAIL}").content.decode()
    assert "<script>alert" not in page
    assert "\x1b" not in page


# --- what helps against a problem ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "page", "about", "database"),
    [
        ("dead list --consumer shop.mail", "deadletter", {"consumer": "shop.mail"}, "default"),
        ("dead list --consumer shop.mail --database archive", "deadletter", {"consumer": "shop.mail"}, "archive"),
        ("outbox list --parked --database archive", "outboxentry", {"state": "parked"}, "archive"),
        ("outbox list --pending", "outboxentry", {"state": "pending"}, "default"),
        ("resume relay --database archive", "resume", {"role": "relay", "name": "archive"}, "archive"),
        ("resume shop.mail", "resume", {"role": "consumer", "name": "shop.mail"}, "default"),
    ],
)
def test_a_command_has_its_page(command, page, about, database):
    answer = answer_to(f"manage.py eventbridge {command}")
    assert answer
    assert (answer.page, answer.about, answer.database) == (page, about, database)


@pytest.mark.parametrize(
    "command", ["", "manage.py check", "manage.py", "manage.py eventbridge doctor", "manage.py eventbridge it's"]
)
def test_a_command_that_only_a_terminal_knows_has_none(command):
    assert answer_to(command) is None


def test_problems_lead_to_their_rows_and_to_the_resume_page(admin_client, bury):
    bury(using="archive")
    row = park("archive")
    beat("shop.mail", "paused", why="by me")
    problems = admin_client.get(BUS).context["problems"]
    addresses = [address for _, _, address in problems if address]
    assert f"{BUS}resume/?role=consumer&name=shop.mail" in addresses
    assert "/admin/eventbridge/deadletter/?consumer=shop.mail&database=archive" in addresses
    parked = "/admin/eventbridge/outboxentry/?state=parked&database=archive"
    assert parked in addresses
    assert list(admin_client.get(parked).context["cl"].result_list) == [row]


def test_who_may_not_see_the_rows_is_told_the_command(visitor, bury):
    bury()
    client = visitor("view_eventbus")
    assert [address for _, _, address in client.get(BUS).context["problems"]] == [""]
    assert "manage.py eventbridge dead list --consumer shop.mail" in client.get(BUS).content.decode()


# --- the keyboard --------------------------------------------------------------------------------


class Focusable(HTMLParser):
    """The elements of a page that can have the focus, and their ids."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag in ("a", "button", "input") or "tabindex" in given:
            self.found.append((tag, given))


def test_whatever_can_have_the_focus_keeps_it_when_the_page_changes_by_itself(admin_client, bury, walk, settings):
    """By its id, as bus.js finds it again."""
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRAIL": True}
    letter = bury()
    bury(using="archive")
    entry = park("default")
    walk(letter.event_id, "recorded", "dead 5 shop.mail", key="7", cause="before")
    walk("after", "recorded", cause=letter.event_id)
    walk(entry.event_id, "recorded", "parked 5")
    for n in range(60):
        walk(f"more {n}", "recorded")
    trail = "/admin/eventbridge/trailstep/"
    for address in (BUS, trail, f"{trail}event/?id={letter.event_id}", f"{trail}event/?id=of+default"):
        page = admin_client.get(f"{address}{'&' if '?' in address else '?'}live=1").content.decode()
        found = Focusable(page).found
        ids = [given.get("id") for _, given in found]
        assert len(ids) > 1
        assert all(ids), (address, [each for each in found if not each[1].get("id")])
        assert len(set(ids)) == len(ids), f"{address} has an id twice"
