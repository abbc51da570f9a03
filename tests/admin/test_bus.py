"""The event bus at a glance: what is wrong, and the picture of what flows where."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now

from eventbridge.flow import Pulse, flow_of
from eventbridge.models import BrokerBinding, BrokerMessage, BrokerQueue, Heartbeat, OutboxEntry
from eventbridge.models.outbox import NewEntry
from eventbridge.status import Process, take_report

pytestmark = pytest.mark.django_db(databases=["default", "archive"])
BUS = "/admin/eventbridge/eventbus/"


def beat(name, state="ready", role="consumer", process="host:1", **figures):
    Heartbeat.objects.beat(process, role, name, state, figures)


def flow():
    return flow_of(take_report())


def consumer(name):
    return next(node for node in flow().consumers if node.name == name)


def test_the_page_says_what_is_wrong_the_worst_first_with_the_command_that_helps(admin_client, bury):
    bury()
    page = admin_client.get(BUS).content.decode()
    assert page.index("No relay of database default is running") < page.index("1 dead letter of shop.mail.")
    assert "manage.py eventbridge relay" in page


def test_where_nothing_is_wrong_it_says_so(admin_client):
    beat("default", role="relay")
    assert "all is well" in admin_client.get(BUS).content.decode()


def test_types_lead_to_the_consumers_whose_keys_match(db):
    beat("shop.mail", keys=["shop.order.saved.v1"])
    beat("shop.search", keys=["shop.#"], process="host:2")
    BrokerQueue.objects.create(name="shop.stopped")
    BrokerBinding.objects.create(queue_id="shop.stopped", pattern="shop.order.deleted.*")
    heard = {node.name: node.consumers for node in flow().types}
    assert heard["shop.order.saved.v1"] == ["shop.mail", "shop.search"]
    assert heard["shop.order.deleted.v1"] == ["shop.search", "shop.stopped"]
    ways = {(edge.kind.name, edge.consumer.name) for edge in flow().edges}
    assert ("shop.order.deleted.v1", "shop.stopped") in ways
    assert ("shop.order.deleted.v1", "shop.mail") not in ways


def test_every_way_begins_and_ends_in_the_middle_of_a_card(db):
    beat("shop.mail", keys=["#"])
    beat("shop.search", keys=["#"], process="host:2")
    picture = flow()
    assert picture.height == max(len(picture.types) * 52 - 12, 2 * 124 - 12)
    gaps = {b.y - a.y for a, b in zip(picture.types, picture.types[1:], strict=False)}
    assert gaps == {40 + 12}
    assert picture.consumers[1].y - picture.consumers[0].y == 112 + 12
    middle = (picture.consumers[0].y + picture.consumers[1].y) / 2
    assert abs(middle - picture.height / 2) <= 1
    edge = picture.edges[0]
    assert edge.path == f"M0 {edge.kind.y} C50 {edge.kind.y} 50 {edge.consumer.y} 100 {edge.consumer.y}"


def test_a_consumer_tells_its_state_its_depth_and_its_dead(bury):
    beat("shop.mail", "waiting", why="database default: gone", depth=12, running=2)
    bury()
    node = consumer("shop.mail")
    assert (node.state, node.mood, node.tone) == ("waiting: database default: gone", "bad", "bad")
    assert (node.depth, node.running, node.dead) == (12, 2, 1)
    Heartbeat.objects.update(seen_at=Now() - timedelta(minutes=5))
    assert consumer("shop.mail").state == "not running"


def test_what_is_queued_is_in_nobodys_hands_and_what_is_to_be_tried_again_is_said(admin_client):
    beat("shop.mail")
    message = {
        "queue": "shop.mail",
        "message_id": "a",
        "routing_key": "a",
        "type": "a",
        "source": "/shop",
        "headers": "{}",
    }
    for lease, ready_at in (("", Now()), ("mine", Now() + timedelta(minutes=1)), ("", Now() + timedelta(minutes=5))):
        BrokerMessage.objects.create(**message, body=b"{}", lease=lease, ready_at=ready_at)
    node = consumer("shop.mail")
    assert (node.depth, node.in_hand, node.delayed) == (2, 1, 1)
    card = admin_client.get(BUS).content.decode()
    assert "1 in hand" in card
    assert "1 to be tried again" in card
    assert "idle" not in card


def test_a_consumer_that_only_fails_is_not_called_idle(admin_client, monkeypatch):
    beat("shop.mail")
    monkeypatch.setattr("eventbridge.flow.pulse", lambda _, counter: 0.5 if counter == "failed" else 0.0)
    card = admin_client.get(BUS).content.decode()
    assert "failed attempts" in card
    assert "idle" not in card


def test_one_process_that_works_makes_up_for_those_that_do_not(db):
    beat("shop.mail", "waiting", why="away")
    beat("shop.mail", "ready", process="host:2")
    assert consumer("shop.mail").state == "ready"
    assert consumer("shop.mail").processes == 2


def test_the_outbox_tells_what_waits_and_what_is_parked(admin_client):
    OutboxEntry.objects.record([NewEntry(event_id, "shop.a.v1", True, "", "{}") for event_id in "abc"])
    OutboxEntry.objects.filter(event_id="c").update(parked_at=Now(), parked_reason="refused")
    [node] = flow().relays
    assert (node.outbox.pending, node.outbox.parked, node.state, node.tone) == (2, 1, "not running", "bad")
    assert "1 parked" in admin_client.get(BUS).content.decode()


def test_with_the_trail_on_types_tell_their_rates_and_ways_that_are_busy(settings, walk):
    beat("shop.mail", keys=["shop.#"])
    assert {node.each_second for node in flow().types} == {None}
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRAIL": True}
    now = datetime.now(UTC) - timedelta(seconds=1)
    for n in range(30):
        walk(str(n), "recorded", "handled 5 shop.mail", at=now)
    picture = flow()
    rates = {node.name: node.each_second for node in picture.types}
    assert rates["shop.order.saved.v1"] == pytest.approx(0.5)
    assert rates["shop.order.deleted.v1"] == 0
    busy = {(edge.kind.name, edge.consumer.name) for edge in picture.edges if edge.busy}
    assert busy == {("shop.order.saved.v1", "shop.mail")}


def test_rates_are_what_counters_grow_by_between_heartbeats(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr("eventbridge.flow.time.monotonic", lambda: clock[0])
    pulse = Pulse()

    def look(handled, seen=0.0):
        process = Process(
            role="consumer", name="c", database="default", process="host:1", state="ready", alive=True, seen=seen,
            figures={"handled": handled},
        )  # fmt: skip
        return pulse(process, "handled")

    assert look(100) == 0
    clock[0] += 2
    assert look(100, seen=2.0) == 0, "the same heartbeat"
    clock[0] += 3
    assert look(150) == 10
    clock[0] += 2
    assert look(150, seen=2.0) == 10, "until the next one"
    clock[0] += 3
    assert look(10) == 0, "it was started again"
