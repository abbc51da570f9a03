"""What a message says is text: nothing in it steers a terminal, forges a line of a log, or becomes part of a page."""

import contextlib
import json
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import kombu
import pytest
from django.contrib.admin import site
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from eventbridge.models import DeadLetter, Heartbeat, InboxEntry, OutboxEntry, TrailStep
from eventbridge.models.outbox import NewEntry
from eventbridge.models.trail import NewStep
from eventbridge.topology import EVENTS
from tests.services.processes import Process
from tests.services.rabbitmq import Vhost
from tests.services.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True, databases=["default", "archive"]), pytest.mark.timeout(120)]

STEERS = "\x1b[2J\x1b]0;owned\x07\x9b31m\x08\x7f\u202egnp.\u2066x\u2028y\r\n2026-11-23 00:00:00 CRITICAL forged"
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7 }}{% now 'Y' %}"
NASTY = f"{MARKUP}{STEERS}"
HOSTILE = {"\x1b", "\x07", "\x9b", "\x08", "\x7f", "\u202e", "\u2066", "\u2028"}


def no_terminal_is_steered(text: str) -> None:
    assert {character for character in text if not character.isprintable()} <= {"\n"}
    assert not re.search(r"^2026-11-23 00:00:00 CRITICAL forged", text, re.MULTILINE), "a line that nobody wrote"


def no_page_is_steered(page: str) -> None:
    assert not {character for character in page if unicodedata.category(character) == "Cc"} - {"\n", "\t", "\r"}
    assert not HOSTILE & set(page)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "alert(1)" in page, "it was not there at all"


def event(**changes: Any) -> bytes:
    attributes = {"specversion": "1.0", "id": f"id {NASTY}", "source": f"/{NASTY}", "type": "e2e.told.v1"}
    data = {"text": "bad", "does": "fail"}
    return json.dumps({**attributes, "subject": NASTY, "data": data, **changes}, ensure_ascii=False).encode()


def send(vhost: Vhost, body: bytes, key: str = "e2e.told.v1", **headers: Any) -> None:
    """As somebody else's program does."""
    with kombu.Connection(vhost.url) as connection, kombu.Producer(connection) as producer:
        producer.publish(
            body,
            exchange=EVENTS,
            routing_key=key,
            content_type="application/cloudevents+json",
            content_encoding="utf-8",
            message_id=f"id {NASTY}"[:200],
            type=f"type {NASTY}"[:200],
            headers={NASTY: NASTY, **headers},
        )


@pytest.mark.parametrize(
    "loud", [{}, {"DJANGO_SETTINGS_MODULE": "tests.e2e.loud", "LOUD_LEVEL": "INFO"}], ids=["our log", "a project's log"]
)
def test_nothing_of_a_message_steers_the_log_of_a_daemon_that_it_came_to(
    vhost: Vhost, daemon: Callable[..., Process], settings: Any, loud: dict[str, str]
):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": vhost.url}
    process = daemon("eventbridge", "consume", "tests.e2e.notes", "-v", "3", env=loud)
    process.wait_for_output("consumer e2e.notes is ready", 40)
    process.wait_for_output("consumer e2e.others is ready", 40)
    send(vhost, event())
    send(vhost, event(id=f"other {NASTY}", data=NASTY))
    send(vhost, event(type=f"e2e.{NASTY}"), key=f"e2e.{NASTY}"[:60])
    send(vhost, b"not json" + NASTY.encode())
    wait_for(
        lambda: DeadLetter.objects.filter(reason="failed", consumer="e2e.notes").exists(), 40, what="a dead letter"
    )
    wait_for(lambda: DeadLetter.objects.filter(reason="malformed").count() >= 4, 40, what="the malformed ones")
    process.terminate()
    process.wait(40)
    assert "forged" in process.output, "it was not there at all"
    no_terminal_is_steered(process.output)


def shown(*command: str) -> str:
    out, err = StringIO(), StringIO()
    with contextlib.suppress(SystemExit):
        call_command("eventbridge", *command, stdout=out, stderr=err)
    return out.getvalue() + err.getvalue()


@pytest.fixture
def hostile_rows(bury_hostile: DeadLetter) -> None:
    """A row of each of our tables, of the worst kind."""
    OutboxEntry.objects.record([NewEntry("a", NASTY, True, json.dumps({NASTY: NASTY}), event().decode())])
    OutboxEntry.objects.update(parked_at=Now(), parked_reason=NASTY)
    InboxEntry.objects.create(consumer=NASTY[:200], source=NASTY, event_id=NASTY, handled_at=Now())
    Heartbeat.objects.beat(NASTY, "consumer", f"another {NASTY}"[:200], "waiting", {"why": NASTY, "depth": 3})


@pytest.fixture
def bury_hostile() -> DeadLetter:
    """As a worker writes it."""
    from eventbridge.obituary import obituary
    from eventbridge.transports import Message
    from eventbridge.wire import decode

    message = Message(destination=EVENTS, routing_key=NASTY, body=event(type=NASTY), headers={NASTY: NASTY})
    error = type(MARKUP, (Exception,), {})(NASTY)
    letter = obituary(NASTY[:200], message, decode(message), DeadLetter.Reason.FAILED, error, 3)
    letter.save()
    return letter


@pytest.mark.usefixtures("hostile_rows")
@pytest.mark.parametrize(
    "command",
    [
        ("dead", "list"),
        ("dead", "list", "--each"),
        ("dead", "list", "--json"),
        ("dead", "show", "ID"),
        ("dead", "show", "ID", "--json"),
        ("dead", "replay", "ID"),
        ("outbox", "list"),
        ("outbox", "list", "--json"),
        ("status",),
        ("status", "--json"),
    ],
    ids=" ".join,
)
def test_nothing_of_a_message_steers_the_terminal_of_whoever_looks(bury_hostile: DeadLetter, command: tuple[str, ...]):
    text = shown(*(word.replace("ID", str(bury_hostile.pk)) for word in command))
    assert "forged" in text, "it was not there at all"
    no_terminal_is_steered(text)


@pytest.mark.usefixtures("hostile_rows")
def test_nothing_of_a_message_becomes_part_of_a_page_of_the_admin(admin_client: Client):
    pages = 0
    for model, page in site._registry.items():
        if model._meta.app_label == "eventbridge" and model._meta.managed:
            name = f"{site.name}:{model._meta.app_label}_{model._meta.model_name}"
            for row in model.objects.all():
                no_page_is_steered(admin_client.get(reverse(f"{name}_change", args=[row.pk])).content.decode())
                no_page_is_steered(admin_client.get(reverse(f"{name}_changelist")).content.decode())
                pages += 2
            for action in page.get_actions(admin_client.get("/admin/").wsgi_request):
                data = {
                    "action": action,
                    "_selected_action": [str(pk) for pk in model.objects.values_list("pk", flat=True)],
                }
                answer = admin_client.post(reverse(f"{name}_changelist"), data, follow=True)
                assert not HOSTILE & set(answer.content.decode())
                assert "<script>alert" not in answer.content.decode()
    assert pages >= 6
    index = admin_client.get("/admin/").content.decode()
    assert not HOSTILE & set(index)


@pytest.fixture
def hostile_trail(db: None) -> None:
    now = datetime.now(UTC)
    names = (NASTY[:200], NASTY[:200], NASTY[:200])
    TrailStep.objects.write(
        [NewStep(NASTY[:200], *names, what, now, NASTY[:200], note=NASTY) for what in TrailStep.What.values]
    )


@pytest.mark.usefixtures("hostile_rows", "hostile_trail")
def test_nothing_of_a_message_becomes_part_of_the_trails_pages(admin_client: Client):
    for page, query in (("", {}), ("", {"q": NASTY[:200]}), ("event/", {"id": NASTY[:200]})):
        for live in ({}, {"live": "1"}):
            answer = admin_client.get(f"/admin/eventbridge/trailstep/{page}", {**query, **live}, follow=True)
            no_page_is_steered(answer.content.decode())


@pytest.mark.usefixtures("hostile_rows", "hostile_trail")
def test_nothing_of_a_message_becomes_part_of_what_the_bookstore_tells_programs(client: Client, settings: Any):
    settings.ROOT_URLCONF, settings.BOOKSTORE_DEMO = "demo_project.urls", True
    told = json.dumps(client.get("/events.json").json(), ensure_ascii=False)
    assert "forged" in told
    assert not HOSTILE & set(told)
