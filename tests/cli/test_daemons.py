"""eventbridge relay and consume: what stops them at the start, what does not, and what they say."""

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from eventbridge import emit
from eventbridge.cli import daemons
from eventbridge.models import BrokerMessage, DeadLetter, Lease, OutboxEntry
from tests.services.processes import Process
from tests.services.waiting import wait_for
from tests.shop.contracts import OrderSaved
from tests.shop.models import Note, Order, User

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "archive"])
CONSUMERS = "tests.cli.shop_consumers"
AWAY = "amqp://shop:s3cret-battery-staple@127.0.0.1:1//"
Start = Callable[..., Process]


def order() -> str:
    """A new order, and with it an event; its id."""
    customer, _ = User.objects.get_or_create(email="someone@shop.example")
    return str(Order.objects.create(customer=customer).pk)


@pytest.fixture
def away(settings: Any) -> None:
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": AWAY, "CONFIRM_TIMEOUT": 1}


# --- relay, for a while ---


def test_drain_relays_until_the_outbox_is_empty(run):
    run("topology", "--apply", CONSUMERS)
    for _ in range(3):
        order()
    answer = run("relay", "--drain")
    assert answer.code == 0
    assert answer.out == "Relayed 3 events.\n"
    assert not OutboxEntry.objects.exists()
    assert BrokerMessage.objects.count() == 3


def test_once_relays_one_batch(run, settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "RELAY_BATCH": 2}
    for _ in range(3):
        order()
    assert run("relay", "--once").out == "Relayed 2 events.\n"
    assert OutboxEntry.objects.count() == 1


def test_a_relay_that_ends_lets_the_next_one_begin_at_once(run):
    assert run("relay", "--once").code == 0
    assert run("relay", "--once").code == 0


def test_once_says_that_another_relay_is_active(run):
    Lease.objects.take("relay", "another", 30)
    answer = run("relay", "--once")
    assert answer.code == 2
    assert "The relay of default is standby" in answer.err


def test_once_says_that_the_broker_is_away(run, away):
    order()
    answer = run("relay", "--once")
    assert answer.code == 2
    assert "The relay of default is waiting" in answer.err
    assert OutboxEntry.objects.count() == 1


def test_drain_has_nothing_to_do_where_another_relay_has_done_it(run):
    Lease.objects.take("relay", "another", 30)
    assert run("relay", "--drain").code == 0


def test_drain_keeps_waiting_for_the_broker_and_says_so_until_it_is_told_to_stop(daemon, away):
    order()
    process = daemon("eventbridge", "relay", "--drain")
    process.wait_for_output("relay default is waiting")
    process.terminate()
    assert process.wait() == 1
    assert "Relayed 0 events." in process.output
    assert "s3cret" not in process.output


# --- what stops a daemon at the start ---


@pytest.mark.parametrize(
    "command", [("relay", "--once"), ("dead", "list"), ("outbox", "list"), ("prune",)], ids=" ".join
)
def test_a_database_that_is_not_there_is_named_with_those_that_are(run, command):
    with pytest.raises(CommandError, match=r"no database 'archiv' in DATABASES\. There are: default, archive"):
        run(*command, "--database", "archiv")


def test_another_kind_of_database_is_refused(run, monkeypatch):
    monkeypatch.setattr(connections["archive"], "vendor", "mysql")
    with pytest.raises(CommandError, match="'archive' is mysql; eventbridge works on PostgreSQL and SQLite"):
        run("relay", "--database", "archive")


def test_tables_that_are_not_migrated_are_said_with_the_command_that_makes_them(daemon, tmp_path):
    sqlite3.connect(tmp_path / "empty.sqlite3").close()
    env = {"SHOP_DATABASE_URL": f"sqlite:///{tmp_path}/empty.sqlite3"}
    for command in (("relay",), ("consume", CONSUMERS), ("dead", "list")):
        process = daemon("eventbridge", *command, env=env)
        assert process.wait() == 1
        assert "run manage.py migrate" in process.output
        assert "Traceback" not in process.output


@pytest.mark.parametrize(
    ("modules", "says"),
    [
        ((), "There are no consumers to run: name their modules"),
        (("tests.cli.nowhere",), "no module 'tests.cli.nowhere'"),
        (("tests.shop.models",), "defines no Consumer"),
        (("tests/cli/shop_consumers.py",), "name the module: tests.cli.shop_consumers"),
    ],
)
def test_consume_says_what_to_do_where_there_is_nothing_to_run(run, modules, says):
    with pytest.raises(CommandError, match=says):
        run("consume", *modules)


@pytest.fixture
def broken(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """CONSUMERS that cannot be used. Commands check; consume ends at once."""
    monkeypatch.setattr(daemons, "consume_daemon", lambda *_: SimpleNamespace(run=lambda _: 0))
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "CONSUMERS": ["tests.cli.nowhere"]}
    return settings


def checked(*arguments: str) -> None:
    """Runs a command as a person does: with Django's system checks, which call_command leaves out."""
    with suppress(SystemExit):
        call_command("eventbridge", *arguments, skip_checks=False, stdout=StringIO(), stderr=StringIO())


@pytest.mark.parametrize("command", ["consume", "topology"])
def test_modules_that_are_named_need_no_others_to_be_fine(broken, command):
    checked(command, CONSUMERS)
    assert broken.EVENTBRIDGE["CONSUMERS"] == ["tests.cli.nowhere"]
    with pytest.raises(CommandError, match=r"EVENTBRIDGE\['CONSUMERS'\].*tests\.cli\.nowhere"):
        checked(command)


@pytest.mark.parametrize("command", ["consume", "topology"])
def test_a_module_that_is_named_is_the_one_that_is_judged(broken, command):
    with pytest.raises(CommandError, match=r"no module 'tests\.cli\.neither'") as error:
        checked(command, "tests.cli.neither")
    assert "nowhere" not in str(error.value)
    with pytest.raises(CommandError, match=r"eventbridge\.E021"):
        checked(command, "tests.cli.idle_consumer")


def test_a_broker_url_that_nobody_speaks_is_refused_without_its_password(run, settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": "redis://shop:s3cret@one"}
    with pytest.raises(CommandError, match="BROKER_URL") as error:
        run("relay")
    assert "s3cret" not in str(error.value)


# --- what does not ---


@pytest.mark.parametrize("command", [("relay",), ("consume", CONSUMERS)], ids=" ".join)
def test_a_broker_that_is_away_at_the_start_is_waited_for(daemon, away, command):
    process = daemon("eventbridge", *command)
    process.wait_for_output("is waiting")
    assert process.running
    process.terminate()
    assert process.wait() == 0
    assert "s3cret" not in process.output


@pytest.mark.sqlite
@pytest.mark.parametrize("command", [("relay",), ("consume", CONSUMERS)], ids=" ".join)
def test_a_database_that_is_away_at_the_start_is_waited_for(daemon, tmp_path, command):
    folder: Path = tmp_path / "not-mounted-yet"
    process = daemon("eventbridge", *command, env={"SHOP_DATABASE_URL": f"sqlite:///{folder}/db.sqlite3"})
    process.wait_for_output("is waiting")
    mounted = tmp_path / "mounted"  # there at once, and whole: the daemon would make an empty file in an empty folder
    mounted.mkdir()
    with closing(sqlite3.connect(connections["default"].settings_dict["NAME"])) as ours:
        ours.execute("VACUUM INTO ?", [str(mounted / "db.sqlite3")])
    mounted.rename(folder)
    process.wait_for_output("is ready", timeout=30)
    process.terminate()
    assert process.wait() == 0


@pytest.mark.sqlite
def test_a_command_that_looks_into_a_database_that_is_away_says_so_and_ends(daemon):
    away = {"SHOP_DATABASE_URL": "sqlite:////nowhere/db.sqlite3"}
    for command in (("dead", "list"), ("outbox", "retry", "--all"), ("prune",)):
        process = daemon("eventbridge", *command, env=away)
        assert process.wait() == 2
        assert "The database cannot be asked: unable to open database file" in process.output
        assert "Traceback" not in process.output
    status = daemon("eventbridge", "status", env=away)
    assert status.wait() == 2
    assert "Database default cannot be reached" in status.output


# --- what they say ---


def test_the_log_is_visible_without_any_logging_configured(daemon):
    emit(OrderSaved(order_id="00000000-0000-0000-0000-000000000001", paid=True, created=True))  # type: ignore[arg-type]
    consumer = daemon("eventbridge", "consume", CONSUMERS)
    consumer.wait_for_output("INFO     consumer cli.mail is ready")
    relay = daemon("eventbridge", "relay", "--verbosity", "2")
    relay.wait_for_output("DEBUG    relayed 1 events")
    consumer.wait_for_output("cli.mail handled shop.order.saved.v1")
    for process in (relay, consumer):
        process.terminate()
        assert process.wait() == 0


def test_a_dead_letter_is_replayed_by_the_consumers_process_while_the_command_waits(daemon, run, bury):
    identity = order()
    body = OutboxEntry.objects.get().body.encode()
    bury(consumer="cli.mail", type="shop.order.saved.v1", body=body)
    DeadLetter.objects.update(content_type="application/cloudevents+json")
    daemon("eventbridge", "consume", CONSUMERS).wait_for_output("is ready")
    answer = run("dead", "replay", "--all", "--wait")
    assert "1 handled, 0 are dead again." in answer.out
    assert Note.objects.get().text == identity


def test_status_sees_the_daemons_come_and_go(daemon, run):
    relay, consumer = daemon("eventbridge", "relay"), daemon("eventbridge", "consume", CONSUMERS)
    for process in (relay, consumer):
        wait_for(lambda pid=process.pid: f":{pid}" in run("status").out, timeout=20, what="status to name it")
    assert run("status").code == 0
    relay.terminate()
    assert relay.wait() == 0
    answer = run("status")
    assert answer.code == 2
    assert "No relay of database default is running." in answer.out


def test_output_that_nobody_reads_to_its_end_is_no_error(processes, database_urls):
    command = f"{sys.executable} -m django eventbridge describe --settings tests.settings"
    process = processes.start("bash", "-c", f"set -o pipefail; {command} | true", env=database_urls)
    assert process.wait() == 0, process.output
    assert "Error" not in process.output
