"""The event trail's pages: an event is found, its journey told, and both are live."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from eventbridge.models import DeadLetter, OutboxEntry
from eventbridge.models.outbox import NewEntry

pytestmark = pytest.mark.django_db(databases=["default", "archive"])
TRAIL = "/admin/eventbridge/trailstep/"


def found(client, **query):
    """The ids of the events on a page of the list, from top to bottom."""
    page = client.get(f"{TRAIL}?{urlencode(query)}")
    return [journey.id for journey in page.context["journeys"]]


def journey(client, event_id):
    return client.get(f"{TRAIL}event/?{urlencode({'id': event_id})}")


# --- the list ------------------------------------------------------------------------------------


def test_events_come_the_latest_first_each_once(admin_client, walk):
    now = datetime.now(UTC)
    walk("a", "recorded", "relayed 5", "handled 90000 shop.mail", at=now - timedelta(minutes=2))
    walk("b", "recorded", "relayed 5", at=now - timedelta(minutes=1))
    assert found(admin_client) == ["b", "a"]


def test_an_event_is_found_by_its_id(admin_client, walk):
    walk("a/b c", "recorded")
    page = admin_client.get(f"{TRAIL}?{urlencode({'q': 'a/b c'})}", follow=True)
    assert page.redirect_chain == [(f"{TRAIL}event/?id=a%2Fb+c", 302)]
    assert page.context["journey"].id == "a/b c"


def test_events_are_found_by_their_key_their_type_and_their_time(admin_client, walk):
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    walk("a", "recorded", "relayed 5", key="7", kind="shop.order.saved.v1", at=noon)
    walk("b", "recorded", key="7", kind="shop.order.deleted.v1", at=noon + timedelta(hours=1))
    walk("c", "recorded", key="8", kind="shop.order.saved.v1", at=noon + timedelta(hours=2))
    assert found(admin_client, q="7") == ["b", "a"]
    assert found(admin_client, type="shop.order.saved.v1") == ["c", "a"]
    assert found(admin_client, q="7", type="shop.order.saved.v1") == ["a"]
    assert found(admin_client, since="2026-11-01T12:30") == ["c", "b"]
    assert found(admin_client, since="2026-11-01T12:30", until="2026-11-01T13:30") == ["b"]
    assert found(admin_client, q="nothing") == []
    assert found(admin_client, since="yesterday", before="nonsense") == ["c", "b", "a"]


def test_every_event_is_on_one_page_however_many_come_in_between(admin_client, walk):
    now = datetime.now(UTC)
    for n in range(120):  # in threes at one instant
        walk(f"{n:03}", "recorded", "relayed 1", at=now - timedelta(minutes=10) + timedelta(seconds=n // 3))
    page, seen = admin_client.get(TRAIL), []
    while True:
        seen += [event.id for event in page.context["journeys"]]
        walk(f"new {len(seen)}", "recorded")
        if not page.context["older"]:
            break
        page = admin_client.get(f"{TRAIL}?{page.context['older']}")
    assert seen == sorted((f"{n:03}" for n in range(120)), reverse=True)


def test_the_next_page_is_of_what_was_sought(admin_client, walk):
    now = datetime.now(UTC) - timedelta(hours=1)
    for n in range(60):
        walk(f"{n:02}", "recorded", key="7" if n % 6 else "8", at=now + timedelta(seconds=n))
    for n in range(60, 110):
        walk(str(n), "recorded", key="7", at=now + timedelta(seconds=n))
    older = admin_client.get(f"{TRAIL}?q=7").context["older"]
    page = admin_client.get(f"{TRAIL}?{older}")
    assert len(page.context["journeys"]) == 50
    assert {event.subject for event in page.context["journeys"]} == {"7"}


def test_an_empty_trail_says_how_to_begin_it(admin_client):
    assert "TRAIL" in admin_client.get(TRAIL).content.decode()


# --- the journey ---------------------------------------------------------------------------------


def test_a_journey_is_told_from_its_recording_to_what_each_consumer_made_of_it(admin_client, walk):
    walk("a", "recorded", "relayed 90", "retried 100 shop.mail", "handled 5100 shop.mail", key="7")
    walk("a", "dead 130 shop.search", key="7", note="ValueError: no stock")
    told = journey(admin_client, "a").context["journey"]
    lanes = {lane.name: (lane.words, lane.tone, [stop.step.what for stop in lane.stops]) for lane in told.lanes}
    assert lanes == {
        "Publishing": ("relayed", "good", ["recorded", "relayed"]),
        "shop.mail": ("handled", "good", ["retried", "handled"]),
        "shop.search": ("dead", "bad", ["dead"]),
    }
    assert (told.words, told.tone) == ("shop.search: dead", "bad")
    page = journey(admin_client, "a").content.decode()
    for words in ("90 ms", "5.1 s", "+5.0 s", "ValueError: no stock"):
        assert words in page


@pytest.mark.parametrize(
    ("steps", "words", "tone"),
    [
        (["recorded"], "recorded, waiting for the relay", "quiet"),
        (["recorded", "parked 5"], "parked", "bad"),
        (["recorded", "parked 5", "relayed 90"], "relayed", "good"),
        (["recorded", "relayed 5", "retried 9 shop.mail"], "shop.mail: failed, will be retried", "busy"),
        (["recorded", "relayed 5", "handled 9 shop.mail", "duplicate 10 shop.mail"], "handled", "good"),
        (["recorded", "relayed 5", "dead 9 a", "replayed 20 a"], "a: being replayed", "busy"),
        (["recorded", "relayed 5", "dead 9 a", "replayed 20 a", "handled 30 a"], "handled", "good"),
        (["handled 9 shop.mail"], "handled", "good"),
    ],
)
def test_how_an_event_stands_is_said_in_a_few_words(admin_client, walk, steps, words, tone):
    walk("a", *steps)
    told = journey(admin_client, "a").context["journey"]
    assert (told.words, told.tone) == (words, tone)


def test_a_quick_consumer_is_not_told_before_the_relay(admin_client, walk):
    walk("a", "handled 4 shop.mail", "relayed 9", "recorded")
    told = journey(admin_client, "a").context["journey"]
    assert [lane.name for lane in told.lanes] == ["Publishing", "shop.mail"]
    assert [stop.after for stop in told.lanes[0].stops] == [0, 0.009]


def test_causes_and_effects_lead_to_each_other(admin_client, walk):
    walk("author", "recorded", "handled 10 shop.mail")
    walk("book", "recorded", cause="author")
    assert "?id=book" in journey(admin_client, "author").content.decode()
    assert "?id=author" in journey(admin_client, "book").content.decode()


def test_where_it_lies_now_is_said_with_its_payload(admin_client, bury, walk):
    letter = bury()
    page = journey(admin_client, letter.event_id).content.decode()
    assert f"/admin/eventbridge/deadletter/{letter.pk}/change/" in page
    assert "&quot;id&quot;: &quot;event-0&quot;" in page
    OutboxEntry.objects.record([NewEntry("a", "shop.a.v1", True, "", '{"data":{"price":3}}')])
    walk("a", "recorded")
    assert "&quot;price&quot;: 3" in journey(admin_client, "a").content.decode()


def test_an_event_that_is_not_on_the_trail_is_said_to_be_not(admin_client):
    assert "The trail knows no such event" in journey(admin_client, "nowhere").content.decode()


def test_what_changes_is_served_without_the_rest_and_never_kept(admin_client, walk):
    walk("a", "recorded")
    for address in (f"{TRAIL}?live=1", f"{TRAIL}event/?id=a&live=1"):
        part = admin_client.get(address)
        assert "<html" not in part.content.decode()
        assert "shop.order.saved.v1" in part.content.decode()
        assert "no-store" in part.headers["Cache-Control"]


def test_a_list_that_was_opened_stays_one_when_what_was_sought_comes(admin_client, walk):
    assert found(admin_client, q="late") == []
    walk("late", "recorded")
    assert admin_client.get(f"{TRAIL}?q=late&live=1").status_code == 200


# --- rights --------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [TRAIL, f"{TRAIL}?live=1", f"{TRAIL}event/?id=a", "/admin/eventbridge/eventbus/"])
def test_a_page_needs_its_own_right(visitor, address):
    assert visitor("view_deadletter").get(address).status_code == 403


def test_the_trail_shows_no_payload_to_who_may_not_see_the_rows(visitor, bury, walk):
    letter = bury(body=b'{"secret": "kept"}')
    walk(letter.event_id, "recorded", "dead 10 shop.mail")
    client = visitor("view_trailstep")
    page = journey(client, letter.event_id)
    assert page.status_code == 200
    assert "secret" not in page.content.decode()
    assert "deadletter" not in page.content.decode()


def test_who_sees_the_story_is_offered_only_what_they_may_do(visitor, bury):
    letter = bury()
    page = visitor("view_deadletter", "change_deadletter")
    story = page.get(f"/admin/eventbridge/deadletter/{letter.pk}/change/").content.decode()
    assert 'value="replay"' in story
    assert 'value="discard"' not in story
    assert "Its journey" not in story
    assert DeadLetter.objects.exists()
