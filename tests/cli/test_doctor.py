"""eventbridge doctor: what is wrong is explained, with its mend, worst first; what is away is a finding like others."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import kombu
import pytest
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.functions import Now

from eventbridge.checks import check_databases
from eventbridge.doctor import database, postgresql
from eventbridge.doctor.certificates import certificate
from eventbridge.models import BrokerQueue, Heartbeat
from eventbridge.server import HealthServer, Page
from tests.integration.rabbitmq.test_tls import Terminator
from tests.services.absence import absent
from tests.services.rabbitmq import Vhost
from tests.services.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "archive"])
CONSUMERS = "tests.cli.shop_consumers"
PASSWORD = "s3cret-battery-staple"
Finding = dict[str, Any]


@pytest.fixture(autouse=True)
def running(settings: Any) -> None:
    """A relay and a consumer that are well."""
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "CONSUMERS": [CONSUMERS]}
    Heartbeat.objects.beat("web1:10", "relay", "default", "ready", {})
    Heartbeat.objects.beat("web1:11", "consumer", "cli.mail", "ready", {})


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own PostgreSQL has it off, which is rightly told."""
    monkeypatch.delitem(postgresql._NEEDED, "fsync")


@pytest.fixture
def with_options(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``with_options("-c fsync=off")``: new sessions in database archive have these options."""
    place = connections.settings["archive"]

    def with_options(options: str, **others: Any) -> None:
        monkeypatch.setitem(place, "OPTIONS", {**place["OPTIONS"], "options": options})
        for name, value in others.items():
            monkeypatch.setitem(place, name, value)

    return with_options


@pytest.fixture
def at(settings: Any) -> Callable[..., None]:
    """``at(url, AUTO_DECLARE=False)``: settings of the command that follows."""

    def at(url: str, **others: Any) -> None:
        settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": url, **others}

    return at


@pytest.fixture
def examine(run) -> Callable[..., list[Finding]]:
    """The findings about something, by ``--json``."""

    def examine(about: str, *options: str) -> list[Finding]:
        told = json.loads(run("doctor", "--json", *options).out)["findings"]
        return [finding for finding in told if finding["about"] == about]

    return examine


@pytest.fixture
def user(vhost: Vhost) -> Iterator[Callable[..., str]]:
    """``user("nobody", write="^x$")``: the URL of a user with these rights in the virtual host, and no others."""
    if not vhost.management:
        absent("this broker has no management interface to make users by")
    management, made = vhost.management, []

    def user(name: str, **rights: str) -> str:
        management.put(f"/users/{quote(name)}", {"password": PASSWORD, "tags": ""})
        made.append(name)
        nothing = {"configure": "^$", "write": "^$", "read": "^$"}
        management.put(f"/permissions/{vhost.name}/{quote(name)}", {**nothing, **rights})
        return vhost.as_user(name, PASSWORD)

    yield user
    for name in made:
        management.delete(f"/users/{quote(name)}")


def wrong(findings: list[Finding]) -> list[str]:
    return [finding["what"] for finding in findings if finding["severity"]]


# --- all of it -----------------------------------------------------------------------------------


def test_where_all_is_fine_each_thing_has_a_quiet_line_and_the_code_is_0(run):
    assert run("topology", "--apply").code == 0
    answer = run("doctor")
    assert answer.code == 0, answer.out
    assert "things are fine.\n" in answer.out
    assert "the checks of eventbridge find nothing" in answer.out
    assert "nothing is missing, and all is made as it should be" in answer.out
    assert "database default  all migrations are applied" in answer.out
    assert "database archive  its clock agrees with this machine's" in answer.out
    assert "2 processes run" in answer.out


def test_the_worst_comes_first_and_each_names_its_mend(run):
    Heartbeat.objects.filter(role="relay").update(state="paused", figures={"why": "the disk is full"})
    Heartbeat.objects.filter(role="consumer").delete()
    answer = run("doctor")
    assert answer.code == 2
    lines = answer.out.splitlines()
    assert lines[0] == "daemons: No consumer cli.mail is running."
    assert lines[1] == f"    manage.py eventbridge consume {CONSUMERS}"
    assert "    manage.py eventbridge resume relay" in lines
    told = json.loads(run("doctor", "--json").out)
    assert told["exit_code"] == 2
    severities = [finding["severity"] for finding in told["findings"]]
    assert severities == sorted(severities, reverse=True)


def test_warnings_alone_are_1(run):
    answer = run("doctor")
    assert answer.code == 1
    assert answer.out.startswith(
        "broker: 2 things are missing: queue cli.mail, binding shop.order.saved.v1 to cli.mail."
    )
    assert "or start the daemons: AUTO_DECLARE is on." in answer.out


def test_a_module_that_cannot_be_imported_hides_nothing(run, at):
    at("database://", CONSUMERS=["tests.cli.nowhere", CONSUMERS])
    answer = run("doctor")
    assert answer.code == 2
    assert answer.out.count("tests.cli.nowhere") == 1
    assert "eventbridge.E020" in answer.out
    assert "queue cli.mail" in answer.out


@pytest.mark.parametrize(
    "given", [[], {"BROKER_URL": 5}, {"BROKER_URL": "amqp://u:s3cret@[one", "SOURCE": "/shop"}, {"CONSUMERS": "a"}]
)
def test_settings_that_are_wrong_are_told_once_and_hide_nothing(run, settings, given):
    settings.EVENTBRIDGE = given
    answer = run("doctor")
    assert answer.code == 2
    assert answer.out.startswith("settings: EVENTBRIDGE")
    assert answer.out.count("settings: EVENTBRIDGE") == 1
    assert "all migrations are applied" in answer.out
    assert "s3cret" not in answer.out


# --- the broker ----------------------------------------------------------------------------------


def test_rabbitmq_is_told_with_its_version_and_without_its_password(run, at, examine, vhost):
    at(vhost.url)
    assert run("topology", "--apply").code == 0
    told = [finding["what"] for finding in examine("broker")]
    assert wrong(examine("broker")) == []
    assert told[0].startswith("RabbitMQ ")
    assert ":***@" in told[0]
    assert urlsplit(vhost.url).password not in told[0]
    assert "this user may publish the events, and read the consumers' queues" in told


def test_nothing_is_made_published_or_taken(run, at, examine, vhost):
    at(vhost.url)
    examine("broker")
    assert vhost.queues() == []
    assert vhost.exchanges() == {}
    run("topology", "--apply")
    with kombu.Connection(vhost.url) as connection:
        connection.default_channel.basic_publish(
            kombu.transport.pyamqp.amqp.Message(b"{}"), "eventbridge.requeue", "cli.mail"
        )
    wait_for(lambda: vhost.depth("cli.mail") == 1, what="the message to be there")
    examine("broker")
    with kombu.Connection(vhost.url) as connection:
        message = connection.default_channel.basic_get("cli.mail", no_ack=True)
        assert message is not None
        assert not message.delivery_info["redelivered"]
    assert all(vhost.depth(queue) == 0 for queue in vhost.queues())


def test_a_user_without_rights_may_do_nothing_and_is_told_which(run, at, examine, vhost, user):
    at(vhost.url)
    run("topology", "--apply")
    at(user("nobody"), AUTO_DECLARE=False)
    [text] = wrong(examine("broker"))
    assert text.startswith("This user may neither publish ")
    assert "shop.order.saved.v1" in text
    assert text.endswith("to eventbridge.events nor read cli.mail.")


def test_auto_declare_without_the_right_to_declare_is_broken(run, at, examine, vhost, user):
    at(user("daemon", write=".*", read=".*"))
    found = wrong(examine("broker"))
    names = "eventbridge.lost, cli.mail, eventbridge.retry.1s, eventbridge.retry.30s"
    assert found[0] == f"AUTO_DECLARE is on, and this user may not declare {names}: daemons wait for that."
    assert vhost.queues() == []


def test_users_with_the_least_rights_are_fine_but_for_rungs_that_they_may_not_write_to(run, at, examine, vhost, user):
    at(vhost.url)
    run("topology", "--apply")
    at(user("relay-only", write=r"^eventbridge\.events$"), AUTO_DECLARE=False)
    assert wrong(examine("broker")) == []
    assert any(f["what"] == "this user may publish, and read no queue: a relay's" for f in examine("broker"))
    at(user("mail-only", read=r"^cli\.mail$", write=r"^eventbridge\.retry\."), AUTO_DECLARE=False)
    assert wrong(examine("broker")) == []
    at(user("mute", read=r"^cli\.mail$", write=r"^eventbridge\.retry\.1s$"), AUTO_DECLARE=False)
    expected = "This user may read queue cli.mail, but not write to eventbridge.retry.30s: its retries fail."
    assert wrong(examine("broker")) == [expected]


def test_a_broker_that_is_away_is_a_finding_without_its_password(run, at):
    at("amqp://shop:s3cret@127.0.0.1:1//")
    answer = run("doctor")
    assert answer.code == 2
    assert answer.out.startswith("broker: amqp://shop:***@127.0.0.1:1// cannot be asked: no broker answers:")
    assert "Start the broker, or correct BROKER_URL." in answer.out
    assert "s3cret" not in answer.out
    assert "all migrations are applied" in answer.out


def test_a_password_that_is_wrong_is_told_as_that(run, at, vhost):
    at(vhost.as_user("guest", "wr0ng-battery-staple"))
    answer = run("doctor")
    assert answer.code == 2
    assert "    Correct user, password and virtual host in BROKER_URL" in answer.out
    assert "wr0ng" not in answer.out


def test_what_does_not_answer_in_time_is_left_behind(run, at):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at(f"amqp://shop:s3cret@127.0.0.1:{silent.getsockname()[1]}//")
        began = time.monotonic()
        answer = run("doctor", "--timeout", "2")
    assert time.monotonic() - began < 10
    assert "broker: It did not answer within 2 s.\n" in answer.out
    assert answer.code == 2


def test_a_queue_that_is_made_otherwise_is_told_with_the_difference(run, at, examine, vhost):
    at(vhost.url)
    with kombu.Connection(vhost.url) as connection:
        arguments = {"x-queue-type": "quorum", "x-delivery-limit": 20}
        connection.default_channel.queue_declare("cli.mail", durable=True, auto_delete=False, arguments=arguments)
    [drift, missing] = [finding for finding in examine("broker") if finding["severity"]]
    expected = "queue cli.mail is there, but with x-delivery-limit = '20' where '1000000' is needed."
    assert drift["what"].replace("'", "") == expected.replace("'", "")
    assert drift["mend"].startswith("RabbitMQ cannot change that: let it run empty, delete it")
    assert "queue eventbridge.retry.30s" in missing["what"]
    assert missing["what"].endswith(" more.")


def test_a_queue_of_the_embedded_broker_that_is_made_otherwise_is_told(run, examine):
    run("topology", "--apply")
    BrokerQueue.objects.update(ordered=True)
    [finding] = [finding for finding in examine("broker") if finding["severity"]]
    assert finding["what"] == "queue cli.mail is made for an ordered consumer, and cli.mail is not ordered."
    assert finding["mend"] == "manage.py eventbridge topology --apply"
    run("topology", "--apply")
    assert wrong(examine("broker")) == []


def test_a_right_that_is_lost_in_part_is_told(run, at, examine, vhost, user):
    both = [CONSUMERS, "tests.cli.slow_consumer"]
    at(vhost.url, CONSUMERS=both)
    run("topology", "--apply")
    at(user("half", write=".*", read=r"^cli\.mail$"), CONSUMERS=both, AUTO_DECLARE=False)
    assert wrong(examine("broker")) == ["This user may not read cli.slow, though it may do the rest."]


def test_a_certificate_that_ends_soon_is_to_be_renewed(run, at, examine, vhost, certificates):
    parts = urlsplit(vhost.url)
    at(vhost.url)
    run("topology", "--apply")
    terminator = Terminator(certificates, (parts.hostname, parts.port))
    try:
        url = f"amqps://{parts.username}:{parts.password}@localhost:{terminator.port}{parts.path}"
        at(url, BROKER_TLS={"ca": str(certificates / "ca.pem")})
        [finding] = [finding for finding in examine("broker") if finding["severity"]]
        at(url, BROKER_TLS={"ca": str(certificates / "other-ca.pem")})
        [refused] = [finding for finding in examine("broker") if finding["severity"]]
    finally:
        terminator.close()
    assert (finding["severity"], finding["what"]) == (1, "Its certificate ends in 1 day.")
    assert refused["mend"].startswith("Renew the broker's certificate, or correct BROKER_TLS['ca']")


def test_every_broker_of_a_list_is_asked_for_its_certificate_and_must_answer(
    run, at, examine, vhost, certificates, monkeypatch
):
    parts = urlsplit(vhost.url)
    at(vhost.url)
    run("topology", "--apply")
    two = [Terminator(certificates, (parts.hostname, parts.port)) for _ in range(2)]
    ports = [terminator.port for terminator in two]
    urls = [f"amqps://{parts.username}:{parts.password}@localhost:{port}{parts.path}" for port in (*ports, 1)]
    try:
        at(";".join(urls), BROKER_TLS={"ca": str(certificates / "ca.pem")})
        found = wrong(examine("broker"))
    finally:
        for terminator in two:
            terminator.close()
    assert found[:2] == [f"The certificate of localhost:{port} ends in 1 day." for port in ports]
    assert found[2].startswith("localhost:1 in BROKER_URL does not answer, though another one does: ")
    assert len(found) == 3


def test_a_client_certificate_that_ends_soon_or_cannot_be_read_is_told_even_if_no_broker_answers(
    at, examine, certificates
):
    url = "amqps://shop:s3cret@127.0.0.1:1//"
    at(url, BROKER_TLS={"cert": str(certificates / "server.pem"), "key": str(certificates / "server.key")})
    assert "The client certificate, BROKER_TLS['cert'], ends in 1 day." in wrong(examine("broker"))
    at(url, BROKER_TLS={"cert": str(certificates / "server.key")})
    assert wrong(examine("broker"))[0].startswith(
        f"The client certificate {certificates / 'server.key'} cannot be read"
    )


@pytest.mark.parametrize(
    ("days", "severity", "words"),
    [(-1.5, 2, "It ended 1 day ago."), (29.5, 1, "It ends in 29 days."), (30.5, 0, "it ends in 30 days")],
)
def test_a_certificate_is_judged_by_the_days_that_it_has_left(days, severity, words):
    assert certificate("it", time.time() + days * 86_400)[:2] == (severity, words)


def test_what_is_missing_is_broken_where_daemons_may_not_make_it(run, at, examine, vhost):
    at(vhost.url, AUTO_DECLARE=False)
    [finding] = [finding for finding in examine("broker") if finding["severity"]]
    assert finding["severity"] == 2
    assert finding["mend"] == "manage.py eventbridge topology --apply (as a user who may declare)"


def test_events_in_the_lost_queue_are_counted(run, at, examine, vhost):
    at(vhost.url)
    run("topology", "--apply")
    with kombu.Connection(vhost.url) as connection:
        connection.default_channel.basic_publish(
            kombu.transport.pyamqp.amqp.Message(b"{}"), "eventbridge.requeue", "gone"
        )
    wait_for(lambda: vhost.depth("eventbridge.lost") == 1, what="the message to be lost")
    assert wrong(examine("broker")) == ["The queue eventbridge.lost holds 1 event: retries whose own queue was gone."]


@pytest.mark.timeout(120)
def test_a_broker_with_an_alarm_is_told_and_nothing_hangs(run, at, examine, broker_in_danger):
    with broker_in_danger.vhost() as vhost:
        at(vhost.url)
        run("topology", "--apply")
        with broker_in_danger.memory_alarm():
            found = wrong(examine("broker"))
        assert found == ["It takes nothing from publishers: it has an alarm of memory or disk."]


# --- databases -----------------------------------------------------------------------------------


def test_a_migration_that_is_not_applied_and_one_from_the_future_are_told(examine):
    recorder = MigrationRecorder(connections["archive"])
    recorder.record_unapplied("eventbridge", "0005_hold")
    recorder.record_applied("eventbridge", "0999_later")
    try:
        findings = [finding for finding in examine("database archive") if finding["severity"]]
    finally:
        recorder.record_applied("eventbridge", "0005_hold")
        recorder.record_unapplied("eventbridge", "0999_later")
    assert [finding["mend"] for finding in findings] == [
        "manage.py migrate eventbridge --database archive",
        "Install the same version everywhere.",
    ]
    assert "0005_hold" in findings[0]["what"]
    assert "0999_later" in findings[1]["what"]


@pytest.mark.parametrize(("shift", "words"), [(-90, "1 min ahead of"), (30, "29 s behind"), (1, "")])
def test_a_clock_that_differs_is_told(examine, monkeypatch, shift, words):
    true = time.time
    monkeypatch.setattr(database.time, "time", lambda: true() + shift)
    found = wrong(examine("database default"))
    assert len(found) == bool(words)
    assert all(text.startswith("Its clock is ") and text.endswith(" this machine's.") for text in found)
    assert all(words in text or "30 s behind" in text for text in found)


def test_a_database_that_is_away_is_a_finding_and_the_others_are_told(run, monkeypatch):
    place = connections.settings["archive"]
    away = {"NAME": "/nowhere/at/all"} if "sqlite3" in place["ENGINE"] else {"HOST": "127.0.0.1", "PORT": "1"}
    for name, value in away.items():
        monkeypatch.setitem(place, name, value)
    answer = run("doctor")
    assert answer.code == 2
    assert "daemons: Database archive cannot be reached: " in answer.out
    assert "database default  all migrations are applied" in answer.out


@pytest.mark.sqlite
def test_somebody_who_keeps_sqlites_write_lock_is_told(examine, monkeypatch):
    monkeypatch.setattr(database, "_SHORT", 1)
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            [finding] = [finding for finding in examine("database default") if finding["severity"]]
            cursor.execute("ROLLBACK")
    finally:
        other.close()
    assert finding["severity"] == 2
    assert finding["what"].startswith("Somebody has held its write lock for 1 s and more, so nobody can emit")
    assert "atomic=False" in finding["mend"]
    assert "SQLite; nobody keeps its write lock" in [finding["what"] for finding in examine("database default")]


@pytest.mark.sqlite
def test_a_sqlite_file_that_cannot_be_written_to_is_told(examine, monkeypatch):
    place = connections.settings["archive"]
    monkeypatch.setitem(place, "NAME", f"file:{place['NAME']}?mode=ro")
    [text] = wrong(examine("database archive"))
    assert text == "It cannot be written to: attempt to write a readonly database."


@pytest.mark.postgresql
def test_a_database_that_does_not_keep_what_it_has_committed_is_told(examine, monkeypatch, with_options):
    with_options("-c synchronous_commit=off")
    [finding] = [finding for finding in examine("database archive") if finding["severity"]]
    assert finding["severity"] == 1
    assert finding["what"].startswith("synchronous_commit is off (by: client): a crash of the server undoes")
    assert finding["mend"].startswith("ALTER SYSTEM RESET synchronous_commit;")
    assert wrong(examine("database default")) == []


@pytest.mark.postgresql
def test_a_server_without_fsync_is_broken(examine, monkeypatch):
    with connections["default"].cursor() as cursor:
        cursor.execute("SHOW fsync")
        if cursor.fetchone()[0] == "on":
            pytest.skip("this server syncs")
    monkeypatch.setitem(postgresql._NEEDED, "fsync", (postgresql.broken, "all is lost"))
    [finding] = [finding for finding in examine("database default") if finding["severity"]]
    assert finding["severity"] == 2
    assert finding["what"].startswith("fsync is off (by: ")


@pytest.mark.postgresql
def test_a_database_that_takes_no_writes_is_broken(examine, with_options):
    with_options("-c default_transaction_read_only=on")
    assert wrong(examine("database archive")) == ["Its transactions are read-only: daemons wait for that."]


@pytest.fixture
def shadowed() -> Iterator[Callable[[str], None]]:
    """``shadowed("pg_backend_pid() RETURNS int", "17")``: what the server says in database archive is another thing."""
    made = []

    def shadow(function: str, value: str) -> None:
        with connections["archive"].cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS shadow")
            cursor.execute(f"CREATE FUNCTION shadow.{function} LANGUAGE sql AS 'SELECT {value}'")
        made.append(function)

    yield shadow
    with connections["archive"].cursor() as cursor:
        cursor.execute("DROP SCHEMA shadow CASCADE")


SHADOW_FIRST = "-c search_path=shadow,pg_catalog,public"


@pytest.mark.postgresql
def test_a_standby_is_broken(examine, shadowed, with_options):
    shadowed("pg_is_in_recovery() RETURNS boolean", "true")
    with_options(SHADOW_FIRST)
    [finding] = [finding for finding in examine("database archive") if finding["severity"]]
    assert (finding["severity"], finding["what"]) == (
        2,
        "It is a standby, which takes no writes: daemons wait for that.",
    )
    assert "target_session_attrs" in finding["mend"]


@pytest.mark.postgresql
@pytest.mark.parametrize("ready", [False, True])
def test_a_pooler_is_known_by_the_number_of_the_session(examine, shadowed, with_options, ready):
    """The server's answer differs from what the driver was told when it connected."""
    shadowed("pg_backend_pid() RETURNS int", "17")
    with_options(SHADOW_FIRST, DISABLE_SERVER_SIDE_CURSORS=ready)
    found = examine("database archive")
    if ready:
        assert wrong(found) == []
        assert any("by a pooler (PgBouncer), for which it is set" in finding["what"] for finding in found)
    else:
        [finding] = [finding for finding in found if finding["severity"]]
        assert finding["what"].startswith("A pooler such as PgBouncer is between")
        assert finding["mend"].startswith("DATABASES['archive']: DISABLE_SERVER_SIDE_CURSORS = True")


@pytest.mark.postgresql
def test_what_keeps_the_outbox_fast_is_looked_at(examine, monkeypatch):
    monkeypatch.setattr(postgresql, "_LONG", 0)
    monkeypatch.setattr(postgresql, "_MANY_DEAD", -1)
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE eventbridge_outbox RESET (autovacuum_vacuum_threshold)")
        cursor.execute("ALTER TABLE eventbridge_broker_message SET (autovacuum_enabled = off)")
    other = connections.create_connection("default")
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            [pid] = cursor.fetchone()
        findings = [finding for finding in examine("database default") if finding["severity"]]
    finally:
        other.close()
        with connections["default"].cursor() as cursor:
            cursor.execute("ALTER TABLE eventbridge_outbox SET (autovacuum_vacuum_threshold = 5000)")
            cursor.execute("ALTER TABLE eventbridge_broker_message RESET (autovacuum_enabled)")
    told = {finding["what"]: finding["mend"] for finding in findings}
    assert "eventbridge_outbox has lost its autovacuum settings: after a backlog it stays slow for long." in told
    assert "Autovacuum is off for eventbridge_broker_message: it gets slower with each event." in told
    assert told[next(what for what in told if "dead rows" in what)].startswith("End long transactions")
    assert any(mend.endswith(f"SELECT pg_terminate_backend({pid});") for mend in told.values())


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("pool", "told"),
    [(None, False), (True, True), ({"min_size": 2, "max_size": 5}, False), ({"max_size": 4}, True)],
)
def test_a_pool_that_is_smaller_than_the_threads_of_a_consume_process_is_a_warning(monkeypatch, pool, told):
    """Two hands, the replays, the embedded broker's pump and the heartbeats: five."""
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", {"pool": pool})
    problems = [problem for problem in check_databases() if problem.id == "eventbridge.W033"]
    assert len(problems) == told
    assert all("one process of consumers uses 5" in problem.msg for problem in problems)


# --- daemons -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "severity", "words"),
    [(Page(200, b"ok\n"), 0, "/livez says ok"), (Page(503, b"the relay hangs\n"), 2, "/livez says: the relay hangs")],
)
def test_each_daemon_is_asked_whether_it_is_live(examine, page, severity, words):
    server = HealthServer("127.0.0.1:0", {"/livez": lambda: page})
    server.start()
    wait_for(lambda: server.address, what="the server to listen")
    try:
        Heartbeat.objects.beat(f"{socket.gethostname()}:10", "relay", "default", "ready", {"health": server.address})
        [finding] = [finding for finding in examine("daemons") if server.address in finding["what"]]
    finally:
        server.close()
    assert finding["severity"] == severity
    assert words in finding["what"]


def test_a_daemon_that_does_not_answer_is_a_warning_unless_it_is_for_another_machine_to_ask(examine):
    Heartbeat.objects.beat(f"{socket.gethostname()}:10", "relay", "default", "ready", {"health": "127.0.0.1:1"})
    Heartbeat.objects.beat("elsewhere:11", "consumer", "cli.mail", "ready", {"health": "127.0.0.1:1"})
    [here, elsewhere] = [finding for finding in examine("daemons") if "127.0.0.1:1" in finding["what"]]
    assert here["severity"] == 1
    assert "where nothing answers" in here["what"]
    assert elsewhere["what"] == "elsewhere:11: its health at 127.0.0.1:1 is for elsewhere alone"


def test_a_daemon_that_is_there_and_cannot_write_its_heartbeat_is_not_to_be_started(run, daemon, examine, admin_client):
    Heartbeat.objects.filter(role="relay").delete()
    relay = daemon("eventbridge", "relay")
    wait_for(Heartbeat.objects.filter(role="relay").exists, 20, what="its first heartbeat")
    relay.send(signal.SIGSTOP)
    Heartbeat.objects.filter(role="relay").update(seen_at=Now() - timedelta(minutes=5))
    me = f"{socket.gethostname()}:{relay.pid}"
    expected = f"The relay of database default runs ({me}), but has not written its heartbeat for 5 min: its database"
    answer = run("status")
    assert answer.code == 2
    assert answer.out.startswith(expected)
    assert answer.out.splitlines()[1] == "    manage.py eventbridge doctor"
    assert f"silent for 5 min: {me}" in answer.out
    assert "runs, but writes no heartbeat" in admin_client.get("/admin/eventbridge/eventbus/").content.decode()
    finding = next(finding for finding in examine("daemons") if finding["severity"])
    assert finding["what"].startswith(expected)
    assert finding["mend"] == "What is found here of the broker and the databases explains it, or its log does."
    Heartbeat.objects.filter(role="relay").update(process=f"elsewhere:{relay.pid}")
    assert run("status").out.startswith("No relay of database default is running (last seen 5 min ago).")
    Heartbeat.objects.filter(role="relay").update(process=me)
    relay.kill()
    relay.wait()
    assert run("status").out.startswith("No relay of database default is running (last seen 5 min ago).")


@pytest.mark.parametrize("process", [f"{socket.gethostname()}:{os.getpid()}", "x", ":"])
def test_a_process_that_got_the_number_later_is_no_daemon(run, process):
    Heartbeat.objects.filter(role="relay").update(process=process, seen_at=Now() - timedelta(minutes=5))
    assert "No relay of database default is running" in run("status").out


def test_daemons_of_which_one_is_gone_are_told_in_the_words_of_status(run):
    Heartbeat.objects.filter(role="relay").update(seen_at=Now() - timedelta(minutes=5))
    assert "daemons: No relay of database default is running (last seen 5 min ago)." in run("doctor").out
