"""eventbridge status: what is wrong comes first and names the command that helps; the exit code says how bad it is."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.db.models.functions import Now

from eventbridge.models import BrokerMessage, DeadLetter, Heartbeat, OutboxEntry
from eventbridge.models.outbox import NewEntry

pytestmark = pytest.mark.django_db(databases=["default", "archive"])
CONSUMERS = "tests.cli.shop_consumers"


@pytest.fixture
def running() -> None:
    """A relay and a consumer that are well."""
    Heartbeat.objects.beat("web1:10", "relay", "default", "ready", {"relayed": 1204, "token": 3})
    Heartbeat.objects.beat("web1:11", "consumer", "cli.mail", "ready", {"handled": 7, "running": 0, "depth": 2})


@pytest.fixture
def consumers(settings: Any) -> None:
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "CONSUMERS": [CONSUMERS]}


def record(using: str = "default", age: float = 0) -> OutboxEntry:
    outbox = OutboxEntry.objects.using(using)
    outbox.record([NewEntry("a", "shop.order.saved.v1", True, "", "{}")])
    outbox.update(created_at=Now() - timedelta(seconds=age))
    return outbox.get()


def gone(name: str, minutes: float = 5) -> None:
    Heartbeat.objects.filter(name=name).update(seen_at=Now() - timedelta(minutes=minutes))


def test_what_is_fine_is_said_in_a_line_each(run, running, consumers):
    answer = run("status")
    assert answer.code == 0
    assert answer.out.startswith("All is well.\n")
    assert "ready, web1:10: relayed 1,204" in answer.out
    assert "depth 2, handled 7, running 0" in answer.out
    assert "archive" not in answer.out


def test_parked_events_are_one_and_name_the_command_that_tells_more(run, running):
    record()
    OutboxEntry.objects.update(parked_at=Now(), parked_reason="refused")
    answer = run("status")
    assert answer.code == 1
    assert answer.out.startswith("1 event parked in database default")
    assert "manage.py eventbridge outbox list --parked\n" in answer.out


def test_a_parked_event_says_what_to_do_in_good_english(run, running):
    record()
    OutboxEntry.objects.update(parked_at=Now(), parked_reason="refused")
    assert "the broker did not take it. Mend the reason (start the consumer, or topology" in run("status").out
    record_two = [NewEntry("b", "shop.order.saved.v1", True, "", "{}")]
    OutboxEntry.objects.record(record_two)
    OutboxEntry.objects.update(parked_at=Now(), parked_reason="refused")
    assert "2 events parked in database default: the broker did not take them." in run("status").out


def test_dead_letters_are_one_unless_they_wait_for_a_replay_by_a_consumer_that_runs(run, running, bury):
    bury(consumer="cli.mail")
    answer = run("status")
    assert answer.code == 1
    assert "1 dead letter of cli.mail." in answer.out
    assert "manage.py eventbridge dead list --consumer cli.mail" in answer.out
    DeadLetter.objects.replay()
    assert run("status").code == 0


def test_replays_that_nobody_takes_up_are_two_and_name_the_module(run, running, consumers, bury):
    for _ in range(3):
        bury(consumer="cli.mail")
    DeadLetter.objects.replay()
    gone("cli.mail")
    answer = run("status")
    assert answer.code == 2
    assert (
        "3 dead letters of cli.mail wait for replay, and no process of cli.mail is running.\n"
        f"    manage.py eventbridge consume {CONSUMERS}\n"
    ) in answer.out


def test_a_replay_for_a_consumer_that_nobody_knows_is_two(run, running, bury):
    bury(consumer="shop.old")
    DeadLetter.objects.replay()
    answer = run("status")
    assert answer.code == 2
    assert "1 dead letter of shop.old waits for replay, and no process of shop.old is running." in answer.out
    assert "manage.py eventbridge consume MODULE" in answer.out


def test_an_outbox_that_lags_is_one_and_one_that_has_just_begun_is_fine(run, running):
    record(age=59)
    assert run("status").code == 0
    record_again = OutboxEntry.objects.update(created_at=Now() - timedelta(seconds=90))
    assert record_again == 1
    answer = run("status")
    assert answer.code == 1
    assert "lags: 1 event waits, the oldest for 1 min" in answer.out


def test_no_relay_is_two_and_says_what_waits(run, running):
    record(age=600)
    gone("default")
    answer = run("status")
    assert answer.code == 2
    assert answer.out.startswith(
        "No relay of database default is running (last seen 5 min ago): 1 event waits, the oldest for 10 min.\n"
        "    manage.py eventbridge relay\n"
    )


def test_a_consumer_that_should_run_and_does_not_is_two_and_its_module_is_named(run, running, consumers):
    Heartbeat.objects.filter(role="consumer").delete()
    answer = run("status")
    assert answer.code == 2
    assert f"No consumer cli.mail is running.\n    manage.py eventbridge consume {CONSUMERS}\n" in answer.out


@pytest.mark.parametrize(
    ("figures", "command"),
    [
        ({}, "consume MODULE, with the module that defines it"),
        ({"module": "consumers.email"}, "consume consumers.email"),
    ],
)
def test_a_consumer_that_no_setting_names_and_that_is_gone_has_its_command_too(run, running, figures, command):
    Heartbeat.objects.filter(role="consumer").update(figures=figures)
    gone("cli.mail")
    answer = run("status")
    assert answer.code == 2
    assert (
        f"No consumer cli.mail is running (last seen 5 min ago).\n    manage.py eventbridge {command}\n" in answer.out
    )


def test_one_living_process_of_a_consumer_is_enough(run, running):
    Heartbeat.objects.beat("web2:12", "consumer", "cli.mail", "ready", {})
    Heartbeat.objects.filter(process="web1:11").update(seen_at=Now() - timedelta(hours=1))
    assert run("status").code == 0
    assert "web1:11" not in run("status").out


def test_a_heartbeat_that_is_late_shows_its_age(run, running):
    Heartbeat.objects.filter(role="relay").update(seen_at=Now() - timedelta(seconds=20))
    answer = run("status")
    assert answer.code == 0
    assert "ready, silent for 20 s, web1:10: relayed 1,204" in answer.out
    assert answer.out.count("silent") == 1


def test_the_outbox_is_told_even_if_nothing_runs(run):
    assert "outbox  default  empty" in run("status").out


def test_daemons_that_wait_for_their_broker_are_two(run, running):
    Heartbeat.objects.update(state="waiting")
    answer = run("status")
    assert answer.code == 2
    assert "The relay of database default waits: its log says why" in answer.out
    assert "The consumer cli.mail waits" in answer.out


def test_a_daemon_that_waits_says_what_for(run, running):
    Heartbeat.objects.filter(role="relay").update(state="waiting", figures={"why": "no broker answers"})
    assert "The relay of database default waits: no broker answers" in run("status").out


def test_the_outbox_of_another_database_is_told_with_its_option(run, running):
    record("archive", age=70)
    answer = run("status")
    assert answer.code == 2
    assert "No relay of database archive is running: 1 event waits" in answer.out
    assert "manage.py eventbridge relay --database archive" in answer.out


def test_a_queue_of_the_embedded_broker_that_nobody_drains_is_two(run, running):
    BrokerMessage.objects.create(queue="shop.old", body=b"", headers="")
    answer = run("status")
    assert answer.code == 2
    assert "Queue shop.old holds 1 event, and no consumer of that name runs." in answer.out


def test_a_queue_is_told_by_what_is_ready_in_hand_and_retrying(run, running):
    for state in ({}, {"lease": "x", "ready_at": Now() + timedelta(1)}, {"ready_at": Now() + timedelta(1)}):
        BrokerMessage.objects.create(queue="cli.mail", body=b"", headers="", **state)
    assert "1 ready, 1 in hand, 1 retrying" in run("status").out


def test_retries_that_lost_their_queue_are_one(run, running):
    Heartbeat.objects.beat("web1:11", "consumer", "cli.mail", "ready", {"handled": 7, "depth": 0, "lost": 3})
    Heartbeat.objects.beat("web1:12", "consumer", "cli.mail", "ready", {"handled": 7, "depth": 0, "lost": None})
    answer = run("status")
    assert answer.code == 1
    assert answer.out.startswith("The queue eventbridge.lost holds 3 events: retries whose own queue was gone.\n")
    assert "manage.py eventbridge doctor" in answer.out


def test_consumers_that_cannot_be_imported_do_not_hide_the_rest(run, running, settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "CONSUMERS": ["tests.cli.nowhere"]}
    answer = run("status")
    assert answer.code == 2
    assert "EVENTBRIDGE['CONSUMERS'] names tests.cli.nowhere, which cannot be used" in answer.out
    assert "relayed 1,204" in answer.out


def test_a_database_that_is_away_is_two_and_the_others_are_told(run, running, monkeypatch):
    def fail(*arguments: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connections["archive"], "cursor", fail)
    answer = run("status")
    assert answer.code == 2
    assert "Database archive cannot be reached: connection refused" in answer.out
    assert "relayed 1,204" in answer.out


def test_a_database_without_our_tables_is_one_and_names_the_command(run, running, monkeypatch):
    monkeypatch.setattr(connections["archive"].introspection, "table_names", lambda _: [])
    answer = run("status")
    assert answer.code == 1
    assert "Database archive has no tables of eventbridge" in answer.out
    assert "    manage.py migrate --database archive\n" in answer.out
    assert json.loads(run("status", "--json").out)["unmigrated"] == ["archive"]


def test_the_main_database_without_our_tables_is_two(run, running, monkeypatch):
    monkeypatch.setattr(connections["default"].introspection, "table_names", lambda _: [])
    answer = run("status")
    assert answer.code == 2
    assert answer.out.startswith("Database default has no tables of eventbridge")


@pytest.mark.parametrize(
    ("wrong", "number"),
    [
        ({"SUORCE": "/shop"}, "E001"),
        ({"CONSUMERS": "tests.cli.shop_consumers"}, "E002"),
        ({"BROKER_URL": 5}, "E002"),
        ({"BROKER_URL": "amqp://[one"}, "E003"),
        ([], "E001"),
    ],
)
def test_settings_that_are_wrong_come_first_and_do_not_hide_the_rest(run, running, settings, wrong, number):
    settings.EVENTBRIDGE = wrong
    answer = run("status")
    assert answer.code == 2
    first, command = answer.out.splitlines()[:2]
    assert first.endswith(f"(eventbridge.{number})")
    assert command == "    manage.py check"
    assert "relayed 1,204" in answer.out


def test_json_has_the_same_for_programs(run, running, consumers):
    record(age=90)
    told = json.loads(run("status", "--json").out)
    assert told["exit_code"] == 1
    assert told["problems"][0]["command"] == "manage.py eventbridge outbox list --pending"
    [outbox] = [item for item in told["outboxes"] if item["database"] == "default"]
    assert outbox["pending"] == 1
    assert outbox["oldest"] == pytest.approx(90, abs=5)
    assert {process["name"] for process in told["processes"]} == {"default", "cli.mail"}
    assert told["expected"] == [{"name": "cli.mail", "module": CONSUMERS, "database": "default"}]
