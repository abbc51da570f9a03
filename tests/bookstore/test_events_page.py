"""What each event did, on the Events page and as JSON."""

from datetime import timedelta

import pytest
from django.utils import timezone

from demo_project.bookstore import journal
from demo_project.trail.models import Step
from eventbridge.models import DeadLetter, Heartbeat, OutboxEntry

NOW = timezone.now()


def step(event_id, what, after=0, who="", note=""):
    at = NOW + timedelta(milliseconds=after)
    Step.objects.create(event_id=event_id, type="bookstore.x.v1", subject="7", what=what, who=who, note=note, at=at)


def test_an_event_that_is_recorded_waits_for_the_relay(client, book, trail):
    book.publish()

    assert "waiting for the relay" in client.get("/events/").content.decode()
    assert len(client.get("/events.json").json()["waiting"]) == 2
    assert [stop for way in journal.ways() for stop in way.stops] == []


def test_an_event_that_was_rolled_back_leaves_no_trail(client, book, trail):
    client.post(f"/books/{book.pk}/publish-and-fail/")

    assert client.get("/events.json").json()["ways"] == []


def test_an_events_way_is_told_with_its_times(client, db):
    step("a", "recorded")
    step("a", "handled", 85, "bookstore.email")
    step("a", "relayed", 90)

    way = client.get("/events.json").json()["ways"][0]
    page = client.get("/events/").content.decode()

    assert [(stop["what"], stop["after"]) for stop in way["stops"]] == [("relayed", "90 ms"), ("handled", "85 ms")]
    assert "handled by bookstore.email" in page


def test_a_failed_attempt_shows_why(client, db):
    step("a", "recorded")
    step("a", "failed", 85, "bookstore.email", "attempt 1: the mail server is down; next in 1 s")

    assert "the mail server is down" in client.get("/events/").content.decode()


def test_a_dead_letter_names_the_command_that_replays_it(client, db):
    letter = DeadLetter.objects.create(
        consumer="bookstore.email", type="bookstore.book.published.v1", event_id="a", fingerprint="f", body=b"{}",
        exception="smtplib.SMTPConnectError", error="(421, …)", attempts=3, reason=DeadLetter.Reason.FAILED,
    )  # fmt: skip

    page = client.get("/events/").content.decode()

    assert f"manage.py eventbridge dead replay {letter.pk}" in page
    assert "smtplib.SMTPConnectError" in page


def test_an_event_that_was_set_aside_shows_the_reason(client, book):
    book.publish()
    OutboxEntry.objects.update(parked_at=timezone.now(), parked_reason="nobody is bound")

    assert "nobody is bound" in client.get("/events/").content.decode()


def test_daemons_that_are_there_are_named(client, db):
    Heartbeat.objects.beat("host:1", "consumer", "bookstore.email", "ready", {})

    assert "bookstore.email: ready" in client.get("/events/").content.decode()


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(0, "0 ms"), (-5, "0 ms"), (999, "999 ms"), (1234, "1.2 s"), (300_000, "5 min")],
)
def test_durations_read_as_people_say_them(milliseconds, words):
    assert journal.duration(timedelta(milliseconds=milliseconds)) == words
