"""What is counted: by real relays, workers and daemons."""

import subprocess
import sys
import time
from collections.abc import Callable
from io import StringIO
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db import transaction
from prometheus_client.parser import text_string_to_metric_families

from eventbridge import emit, emit_many
from eventbridge.assembly import declare, make_relay
from eventbridge.checks import check_settings
from eventbridge.event import emitted_at, uuid7
from eventbridge.models import OutboxEntry
from eventbridge.topology import topology_of
from tests.docs.pages import read, table
from tests.services.processes import Process
from tests.services.waiting import wait_for
from tests.telemetry.conftest import address_of, get
from tests.telemetry.counted import Since, scraped
from tests.telemetry.shop_consumers import Asked, Nobody, Whoever, consumer

Start = Callable[..., Process]
real = pytest.mark.django_db(transaction=True, databases=["default", "archive"])
KEY = {"messaging_system": "eventbridge", "messaging_operation_name": "publish"}


def relayed() -> None:
    relay = make_relay("default")
    for _ in range(5):
        relay.poll()
    relay.close(1)


# --- in this process -------------------------------------------------------------------------------


@real
def test_what_is_emitted_is_counted_by_type(counting):
    since = Since()
    with transaction.atomic():
        emit_many([Asked(text="1"), Asked(text="2"), Whoever()])
    assert since['eventbridge_outbox_emitted_total{database="default",type="telemetry.asked.v1"}'] == 2
    assert since['eventbridge_outbox_emitted_total{database="default",type="telemetry.whoever.v1"}'] == 1


@real
def test_what_the_relay_did_with_each_event_is_counted(counting):
    since = Since()
    declare(topology_of([consumer]))
    emit_many([Asked(text="1"), Asked(text="2"), Whoever(), Nobody()])
    relayed()
    assert since['eventbridge_outbox_published_total{database="default"}'] == 2
    assert since['eventbridge_outbox_unwanted_total{database="default"}'] == 1
    assert since['eventbridge_outbox_failed_total{database="default",reason="unroutable"}'] == 1
    assert since['eventbridge_relay_batch_size_count{database="default"}'] == 1
    assert since['eventbridge_relay_batch_size_sum{database="default"}'] == 4
    assert since['eventbridge_relay_iteration_duration_seconds_count{database="default"}'] == 1
    assert since['eventbridge_outbox_delivery_lag_seconds_count{database="default"}'] == 2
    assert 0 < since['eventbridge_outbox_delivery_lag_seconds_sum{database="default"}'] < 10
    sent = "messaging_client_sent_messages_total"
    labels = 'messaging_operation_name="publish",messaging_system="eventbridge"'
    exchange = 'messaging_destination_name="eventbridge.events:telemetry'
    assert since[f'{sent}{{{exchange}.asked.v1",{labels}}}'] == 2
    assert since[f'{sent}{{error_type="unroutable",{exchange}.nobody.v1",{labels}}}'] == 1


@real
def test_what_is_not_answered_is_deferred_and_the_broker_is_blamed(counting, settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": "amqp://a:b@127.0.0.1:1//", "CONFIRM_TIMEOUT": 1}
    since = Since()
    emit(Asked(text="1"))
    relay = make_relay("default")
    relay._prepared = True
    relay.poll()
    relay.close(1)
    assert since['eventbridge_outbox_deferred_total{database="default"}'] == 1
    assert since['eventbridge_broker_errors_total{daemon="relay default"}'] == 1
    assert OutboxEntry.objects.count() == 1


@real
def test_an_event_type_that_nobody_here_knows_makes_no_series(counting):
    emit(Asked(text="1"))
    OutboxEntry.objects.update(type="elsewhere.happened.v1", mandatory=False)
    since = Since()
    relayed()
    labels = 'messaging_operation_name="publish",messaging_system="eventbridge"'
    name = 'messaging_destination_name="eventbridge.events:__unknown__"'
    assert since[f"messaging_client_sent_messages_total{{{name},{labels}}}"] == 1
    assert "elsewhere" not in "".join(Since._all())


def test_the_time_of_emit_is_in_the_events_id():
    assert emitted_at("019a0000-0001-7000-8000-000000000000") == 0x019A00000001 / 1000
    assert abs(time.time() - emitted_at(uuid7())) < 1


# --- in daemons ------------------------------------------------------------------------------------


@real
def test_every_series_is_there_at_0_before_anything_happens(daemons):
    relay, consumer = (scraped(address) for address in daemons)
    at_zero = [
        'eventbridge_outbox_messages{database="default",status="pending"}',
        'eventbridge_outbox_messages{database="default",status="parked"}',
        'eventbridge_outbox_oldest_pending_age_seconds{database="default"}',
        'eventbridge_outbox_published_total{database="default"}',
        'eventbridge_outbox_deferred_total{database="default"}',
        'eventbridge_outbox_unwanted_total{database="default"}',
        'eventbridge_outbox_failed_total{database="default",reason="refused"}',
        'eventbridge_outbox_failed_total{database="default",reason="unroutable"}',
        'eventbridge_outbox_delivery_lag_seconds_count{database="default"}',
        'eventbridge_outbox_lease_conflicts_total{database="default"}',
        'eventbridge_relay_iteration_duration_seconds_count{database="default"}',
        'eventbridge_broker_errors_total{daemon="relay default"}',
        'eventbridge_broker_reconnects_total{daemon="relay default"}',
        'eventbridge_db_errors_total{daemon="relay default"}',
        'eventbridge_schema_violations_total{side="emit",type="shop.order.saved.v1"}',
        'eventbridge_schema_violations_total{side="emit",type="__unknown__"}',
        *(
            f'messaging_client_sent_messages_total{{{error}messaging_destination_name="eventbridge.events:{name}",'
            'messaging_operation_name="publish",messaging_system="eventbridge"}'
            for error in ("", *(f'error_type="{why}",' for why in ("nacked", "unanswered", "refused", "unroutable")))
            for name in ("shop.order.saved.v1", "__unknown__")
        ),
    ]
    assert {line: relay.get(line) for line in at_zero} == dict.fromkeys(at_zero, 0.0)
    assert relay['eventbridge_relay_state{database="default",state="ready"}'] == 1
    of_handler = (
        'messaging_consumer_group_name="telemetry.asked",'
        'messaging_destination_name="eventbridge.events:telemetry.asked.v1:telemetry.asked",'
        'messaging_operation_name="process",messaging_system="eventbridge"'
    )
    at_zero = [
        'eventbridge_dlq_messages{consumer="telemetry.asked"}',
        'eventbridge_consumer_retries_total{consumer="telemetry.asked",kind="delayed"}',
        'eventbridge_consumer_retries_total{consumer="telemetry.placid",kind="in_place"}',
        *(
            f'eventbridge_consumer_dead_lettered_total{{consumer="telemetry.asked",reason="{reason}"}}'
            for reason in ("failed", "rejected", "malformed", "unhandled", "crashed")
        ),
        'eventbridge_cloudevents_invalid_total{consumer="telemetry.asked",reason="unreadable"}',
        'eventbridge_cloudevents_invalid_total{consumer="telemetry.asked",reason="misrouted"}',
        'eventbridge_schema_violations_total{side="consume",type="telemetry.asked.v1"}',
        'eventbridge_schema_violations_total{side="consume",type="__unknown__"}',
        'eventbridge_inbox_rows{database="default"}',
        'eventbridge_broker_reconnects_total{daemon="consumer telemetry.asked"}',
        'eventbridge_consumer_duplicates_total{consumer="telemetry.asked"}',
        'eventbridge_consumer_in_flight{consumer="telemetry.asked"}',
        'eventbridge_consumer_last_success_timestamp_seconds{consumer="telemetry.asked"}',
        'eventbridge_consumer_critical_time_seconds_count{consumer="telemetry.asked"}',
        f"messaging_client_consumed_messages_total{{{of_handler}}}",
        f"messaging_process_duration_seconds_count{{{of_handler}}}",
    ]
    assert {line: consumer.get(line) for line in at_zero} == dict.fromkeys(at_zero, 0.0)
    assert consumer['eventbridge_consumer_state{consumer="telemetry.asked",state="ready"}'] == 1
    assert any(line.startswith("eventbridge_build_info{") for line in consumer)


@real
def test_the_page_lists_every_metric_of_the_daemons_and_no_other(daemons):
    documented = {row[0].strip("`").removesuffix("_total") for row in table(read("docs/how-to/monitor.md"), "metric")}
    pages = [get(address, "/metrics").text for address in daemons]
    names = {family.name for page in pages for family in text_string_to_metric_families(page)}
    ours = {name for name in names if name.startswith(("eventbridge", "messaging")) and not name.endswith("_created")}
    assert ours == documented


@real
def test_what_consumers_do_is_counted(daemons):
    _, address = daemons
    emit_many([Asked(text="fine"), Asked(text="again", fail=1), Asked(text="bad", reject=True)])
    dead = 'eventbridge_consumer_dead_lettered_total{consumer="telemetry.asked",reason="rejected"}'
    handled = 'eventbridge_consumer_critical_time_seconds_count{consumer="telemetry.asked"}'
    wait_for(lambda: (found := scraped(address))[dead] == 1 and found[handled] == 2, 20, what="one dead, two handled")
    found = scraped(address)
    assert found['eventbridge_consumer_retries_total{consumer="telemetry.asked",kind="delayed"}'] == 1
    succeeded = found['eventbridge_consumer_last_success_timestamp_seconds{consumer="telemetry.asked"}']
    assert abs(time.time() - succeeded) < 30
    runs = {
        line.partition('error_type="')[2].partition('"')[0]: value
        for line, value in found.items()
        if line.startswith("messaging_process_duration_seconds_count") and 'name="telemetry.asked"' in line
    }
    assert runs == {"": 2, "ValueError": 1, "eventbridge.errors.Reject": 1}


@real
def test_a_backlog_and_an_outage_are_seen(daemon: Start):
    emit(Nobody())
    env = {"SHOP_METRICS": "1", "SHOP_BROKER_URL": "amqp://shop:" + quote("s3cret-battery-staple") + "@127.0.0.1:1//"}
    address = address_of(daemon("eventbridge", "relay", env=env))
    pending = 'eventbridge_outbox_messages{database="default",status="pending"}'
    wait_for(lambda: scraped(address)[pending] == 1, 30, what="the backlog")
    assert scraped(address)['eventbridge_outbox_oldest_pending_age_seconds{database="default"}'] > 0
    waiting = 'eventbridge_relay_state{database="default",state="waiting"}'
    wait_for(lambda: scraped(address)[waiting] == 1, what="it to wait")
    wait_for(lambda: scraped(address)['eventbridge_broker_errors_total{daemon="relay default"}'] > 0, what="errors")


@real
def test_what_somebody_paused_says_so_and_is_ready(daemons):
    _, address = daemons
    call_command("eventbridge", "pause", "telemetry.asked", stdout=StringIO())
    paused = 'eventbridge_consumer_state{consumer="telemetry.asked",state="paused"}'
    assert scraped(address)[paused] == 0
    wait_for(lambda: scraped(address)[paused] == 1, 20, what="it to be paused")
    assert get(address, "/readyz").code == 200


@real
def test_without_the_setting_nothing_is_counted_and_the_page_says_how_to(daemon: Start):
    address = address_of(daemon("eventbridge", "relay"))
    assert get(address, "/metrics") == (404, "There are no metrics: set EVENTBRIDGE['METRICS'] to True.\n")


def test_metrics_without_their_library_are_a_checks_finding(settings, monkeypatch):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "METRICS": True}
    assert check_settings() == []
    monkeypatch.setattr("eventbridge.checks.settings.find_spec", lambda _: None)
    assert [problem.id for problem in check_settings()] == ["eventbridge.E009"]


def test_without_the_setting_nothing_is_imported():
    program = (
        "import django, sys; django.setup(); import eventbridge.assembly; print('prometheus_client' in sys.modules)"
    )
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""}
    for more, imported in (({}, "False\n"), ({"SHOP_METRICS": "1"}, "True\n")):
        run = subprocess.run(
            [sys.executable, "-c", program], env={**env, **more}, capture_output=True, text=True, check=True
        )
        assert run.stdout == imported
