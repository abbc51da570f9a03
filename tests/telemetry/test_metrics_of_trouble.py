"""What goes wrong is counted, also what happens for the first time: real relays, workers and daemons."""

import math
from typing import Any

import pytest
from django.dispatch import Signal

from eventbridge import bridge, emit
from eventbridge.assembly import make_relay, open_publisher
from eventbridge.capture import bridges
from eventbridge.errors import InvalidEvent
from eventbridge.metrics import series
from eventbridge.models import InboxEntry, Lease
from eventbridge.models.broker import BrokerMessage, NewMessage
from eventbridge.relay import Relay
from eventbridge.topology import EVENTS, LOST
from eventbridge.transports import Message
from tests.services.waiting import wait_for
from tests.telemetry.counted import Since, scraped
from tests.telemetry.shop_consumers import Asked, Whoever

real = pytest.mark.django_db(transaction=True, databases=["default", "archive"])
EMITTED = 'eventbridge_schema_violations_total{side="emit",type="%s"}'


# --- emit ------------------------------------------------------------------------------------------


@real
@pytest.mark.parametrize(
    "mistake",
    [
        lambda: emit(Asked(text=3)),  # type: ignore[arg-type]
        lambda: emit(Asked(text="x" * 200)),
        lambda: emit(Asked(text="x"), time="now"),  # type: ignore[arg-type]
    ],
    ids=["another type", "too large", "no time"],
)
def test_an_event_that_does_not_fit_its_type_is_counted_where_it_is_emitted(counting, settings, mistake):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "MAX_EVENT_BYTES": 400}
    since = Since()
    with pytest.raises(InvalidEvent):
        mistake()
    assert since[EMITTED % "telemetry.asked.v1"] == 1
    assert since[EMITTED % "telemetry.whoever.v1"] == 0


@real
@pytest.mark.parametrize(
    ("returned", "name"), [(Whoever(), "telemetry.whoever.v1"), ({"text": "x"}, "__unknown__")], ids=["event", "dict"]
)
def test_a_bridge_that_returns_what_its_annotation_does_not_name_is_counted(counting, returned: Any, name: str):
    since = Since()

    def careless(**kwargs: Any) -> Asked:
        return returned

    happened = Signal()
    bridge(happened)(careless)
    bridges.pop()
    with pytest.raises(InvalidEvent):
        happened.send(sender=None)
    assert since[EMITTED % name] == 1


# --- the relay -------------------------------------------------------------------------------------


def _expire(relay: Relay) -> None:
    """As if the relay had stood still for longer than its lease."""
    Lease.objects.update(expires_at="2020-01-01T00:00:00Z")
    relay._held_until = 0.0


@real
def test_a_lease_that_another_relay_took_over_is_a_conflict_and_one_that_only_ran_out_is_none(counting, caplog):
    series.conflicts.labels("default")
    since, conflicts = Since(), 'eventbridge_outbox_lease_conflicts_total{database="default"}'
    former, successor = make_relay("default"), make_relay("default")
    former.poll()
    _expire(former)
    former.poll()
    assert (former.state, since[conflicts], "another relay" in caplog.text) == ("ready", 0, False)
    _expire(former)
    successor.poll()
    former.poll()
    assert (former.state, since[conflicts], "another relay" in caplog.text) == ("standby", 1, True)
    _expire(successor)
    former.poll()
    former.close(1)
    successor.poll()
    assert (successor.state, since[conflicts]) == ("ready", 2)


@real
def test_a_relay_that_goes_on_after_the_broker_was_away_has_reconnected_once(counting, settings):
    series.reconnects.labels("relay default")
    since, reconnects = Since(), 'eventbridge_broker_reconnects_total{daemon="relay default"}'
    relay, publisher = make_relay("default"), open_publisher()
    relay.poll()
    assert (relay.state, since[reconnects]) == ("ready", 0)
    there = settings.EVENTBRIDGE
    settings.EVENTBRIDGE = {**there, "BROKER_URL": "amqp://a:b@127.0.0.1:1//", "CONFIRM_TIMEOUT": 1}
    emit(Whoever())
    relay.publisher = open_publisher()
    for _ in range(2):
        relay.poll()
    assert (relay.state, since[reconnects]) == ("waiting", 0)
    settings.EVENTBRIDGE, relay.publisher = there, publisher
    for _ in range(2):
        relay.poll()
    relay.close(1)
    assert since[reconnects] == 1


# --- consumers -------------------------------------------------------------------------------------

TEXT = '{"specversion":"1.0","id":"%s","source":"/elsewhere","type":"%s","data":{"text":%s}}'


def _send(body: str, key: str = "telemetry.asked.v1") -> None:
    [outcome] = open_publisher().publish([Message(destination=EVENTS, routing_key=key, body=body.encode(), id="1")])
    assert outcome.state == "confirmed"


@real
def test_what_a_consumer_cannot_read_is_counted_by_what_is_wrong_with_it(daemons):
    _, address = daemons
    _send("nonsense")
    _send(TEXT % ("1", "telemetry.other.v1", '"x"'))
    _send(TEXT % ("2", "telemetry.asked.v1", "3"))
    dead = 'eventbridge_consumer_dead_lettered_total{consumer="telemetry.asked",reason="malformed"}'
    wait_for(lambda: scraped(address)[dead] == 3, 20, what="three dead letters")
    found = scraped(address)
    invalid = 'eventbridge_cloudevents_invalid_total{consumer="telemetry.asked",reason="%s"}'
    assert (found[invalid % "unreadable"], found[invalid % "misrouted"]) == (1, 1)
    violations = 'eventbridge_schema_violations_total{side="consume",type="%s"}'
    assert (found[violations % "telemetry.asked.v1"], found[violations % "__unknown__"]) == (1, 0)


@real
def test_retries_whose_queue_is_gone_and_the_inbox_are_seen(daemons):
    _, address = daemons
    wait_for(lambda: scraped(address)["eventbridge_lost_messages{}"] == 0, 30, what="the broker to be asked")
    InboxEntry.objects.claim("telemetry.asked", [("/s", "1"), ("/s", "2")])
    BrokerMessage.objects.put([NewMessage(LOST, "vanished", "1", "t", "/s", "application/json", "{}", b"{}")])
    wait_for(lambda: scraped(address)["eventbridge_lost_messages{}"] == 1, 30, what="the lost one")
    wait_for(lambda: scraped(address)['eventbridge_inbox_rows{database="default"}'] == 2, 30, what="the inbox")


@real
def test_without_tls_there_is_no_end_of_a_certificate(daemons):
    for address, name in zip(daemons, ("relay default", "consumer telemetry.asked"), strict=True):
        ends = 'eventbridge_broker_certificate_expiry_timestamp_seconds{daemon="%s"}'
        assert math.isnan(scraped(address)[ends % name])
