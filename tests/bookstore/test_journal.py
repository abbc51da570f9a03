"""What each event did, as the site tells programs; and the ways from its pages to the event trail."""

from datetime import UTC, datetime, timedelta

from django.urls import reverse

from eventbridge.models import DeadLetter, TrailStep
from eventbridge.models.trail import NewStep

NOW = datetime.now(UTC)
TRAIL = "/admin/eventbridge/trailstep/"


def step(event_id, what, after=0, consumer="", note=""):
    at = NOW + timedelta(milliseconds=after)
    return NewStep(event_id, "bookstore.x.v1", "7", "", what, at, consumer, note=note)


def test_an_events_way_is_told_with_its_times(client, db):
    failed = step("a", "retried", 40, "bookstore.email", "the mail server is down; next attempt in 1 s")
    TrailStep.objects.write(
        [step("a", "recorded"), failed, step("a", "handled", 1085, "bookstore.email"), step("a", "relayed", 90)]
    )

    way = client.get("/events.json").json()["ways"][0]

    assert (way["id"], way["type"], way["subject"]) == ("a", "bookstore.x.v1", "7")
    stops = [(stop["what"], stop["who"], stop["after"]) for stop in way["stops"]]
    assert stops == [
        ("relayed", "", "90 ms"),
        ("retried", "bookstore.email", "40 ms"),
        ("handled", "bookstore.email", "1.1 s"),
    ]
    assert "the mail server is down" in way["stops"][1]["note"]


def test_a_dead_letter_has_the_number_that_replays_it(client, db):
    letter = DeadLetter.objects.create(
        consumer="bookstore.email", type="bookstore.book.published.v1", event_id="a", fingerprint="f", body=b"{}",
        exception="smtplib.SMTPConnectError", error="(421, …)", attempts=3, reason=DeadLetter.Reason.FAILED,
    )  # fmt: skip

    assert client.get("/events.json").json()["dead"] == [{"number": letter.pk, "id": "a"}]


def test_the_sites_pages_lead_to_the_event_trail(client, book):
    assert reverse("admin:eventbridge_trailstep_changelist") == TRAIL
    assert f'href="{TRAIL}"' in client.get("/").content.decode()
    assert f'href="{TRAIL}?q={book.pk}"' in client.get(f"/books/{book.pk}/").content.decode()
