"""The servers and helpers that the other tests trust."""

import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import amqp
import kombu
import pytest
from django.core.mail import send_mail
from django.db import connection, connections

from tests.services.absence import absent
from tests.services.choice import choose
from tests.services.hosts import NotAvailable, PrivateProcess, family, free_port
from tests.services.waiting import wait_for
from tests.settings import database


def publish(url, queue, body="hello"):
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        channel = connection.default_channel
        channel.queue_declare(queue, durable=True, auto_delete=False)
        kombu.Producer(channel).publish(body, routing_key=queue)


# --- waiting and choosing ---


def test_wait_for_returns_the_first_true_value():
    values = iter([0, None, 7])
    assert wait_for(lambda: next(values)) == 7


def test_wait_for_names_what_did_not_happen():
    with pytest.raises(AssertionError, match=r"waited 0\.05 s for the rain, and it is still 0"):
        wait_for(lambda: 0, timeout=0.05, what="the rain")


def closed(reason):
    def way():
        raise NotAvailable(reason)

    return way


def test_the_first_open_way_to_a_server_is_taken(monkeypatch):
    monkeypatch.delenv("FORCED", raising=False)
    assert choose({"private": closed("no program"), "docker": lambda: "a server"}, forced_by="FORCED") == "a server"


def test_a_forced_way_is_the_only_one_tried(monkeypatch):
    monkeypatch.setenv("FORCED", "private")
    with pytest.raises(NotAvailable, match=r"^private: no program$"):
        choose({"private": closed("no program"), "docker": lambda: "a server"}, forced_by="FORCED")


def test_every_closed_way_gives_its_reason(monkeypatch):
    monkeypatch.delenv("FORCED", raising=False)
    with pytest.raises(NotAvailable, match="private: no program; docker: no daemon"):
        choose({"private": closed("no program"), "docker": closed("no daemon")}, forced_by="FORCED")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////data/a.sqlite3", {"ENGINE": "django.db.backends.sqlite3", "NAME": "/data/a.sqlite3"}),
        (
            "postgres://me:p%40ss@127.0.0.1:5433/shop",
            {"NAME": "shop", "USER": "me", "PASSWORD": "p@ss", "HOST": "127.0.0.1", "PORT": "5433"},
        ),
    ],
)
def test_a_database_url_becomes_djangos_settings(url, expected):
    assert database(url).items() >= expected.items()


# --- private processes ---


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for the process in /proc")
def test_a_private_server_dies_with_the_run_that_started_it(tmp_path):
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path.cwd())!r})
from tests.services.hosts import PrivateProcess
host = PrivateProcess("orphan")
host.command = ["sleep", "300"]
host.start()
host.ready(lambda: True)
print(host._process.pid, host.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    pid, folder = done.stdout.split()
    wait_for(lambda: not Path(folder).exists(), what="the folder to be removed")
    wait_for(lambda: not _runs(int(pid)), what="the server to be gone")


def _runs(pid):
    """Whether it exists and is no zombie. (Nobody reaps the orphans of a container without an init.)"""
    with suppress(FileNotFoundError, ProcessLookupError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


def test_a_server_that_ends_at_once_is_not_available():
    host = PrivateProcess("broken")
    host.command = ["sh", "-c", "echo no such option; exit 1"]
    try:
        host.start()
        with pytest.raises(NotAvailable, match="no such option"):
            host.ready(lambda: False)
    finally:
        host.close()


def test_a_family_is_a_process_and_its_descendants(processes):
    parent = processes.start("sh", "-c", "sh -c 'sleep 60; true' & wait")
    wait_for(lambda: len(family(parent.pid)) == 3, what="three generations")
    assert family(parent.pid)[0] == parent.pid


# --- processes ---


def test_a_process_tells_its_output_and_exit_code(processes):
    process = processes.python("-c", "print('ready'); import time; time.sleep(60)")
    process.wait_for_output("ready")
    process.terminate()
    assert process.wait() == -signal.SIGTERM


def test_a_process_that_ends_without_the_word_is_reported(processes):
    process = processes.python("-c", "print('something else')")
    with pytest.raises(AssertionError, match="something else"):
        process.wait_for_output("ready")


@pytest.mark.django_db(transaction=True)
def test_a_daemon_uses_the_tests_own_database(daemon):
    connection.ensure_connection()
    script = "from django.db import connections as c; print(*(c[a].settings_dict['NAME'] for a in c))"
    process = daemon("shell", "--no-imports", "-c", script)
    assert process.wait() == 0, process.output
    assert process.output.split() == [str(connections[alias].settings_dict["NAME"]) for alias in connections]


# --- the network ---


@pytest.fixture
def echo():
    """A server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", free_port()))
    listener.settimeout(10)

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_echo, args=(peer,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _echo(peer):
    with peer, suppress(ConnectionResetError):
        while data := peer.recv(1024):
            peer.sendall(data)


@pytest.fixture
def proxy(proxy_to, echo):
    return proxy_to(echo)


@pytest.fixture
def client(proxy):
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        yield client


def test_a_proxy_passes_on(client, proxy):
    client.sendall(b"hello")
    assert client.recv(10) == b"hello"
    assert proxy.connections == 1


def test_a_cut_connection_is_reset_and_the_next_one_passes(client, proxy):
    client.sendall(b"hello")
    assert client.recv(10) == b"hello"
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(10)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as again:
        again.sendall(b"again")
        assert again.recv(10) == b"again"


def test_a_swallowed_answer_never_comes(client, proxy):
    proxy.to_client.swallow()
    client.sendall(b"one")
    wait_for(lambda: proxy.to_client.swallowed == 3)
    proxy.to_client.flow()
    client.sendall(b"two")
    assert client.recv(10) == b"two"


def test_what_is_held_comes_later(client, proxy):
    proxy.to_server.hold()
    client.sendall(b"hello")
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.recv(10)
    proxy.to_server.flow()
    client.settimeout(5)
    assert client.recv(10) == b"hello"


def test_a_delay_delays(client, proxy):
    proxy.to_client.delay = 0.2
    started = time.monotonic()
    client.sendall(b"hello")
    assert client.recv(10) == b"hello"
    assert time.monotonic() - started >= 0.2


def test_a_refusing_proxy_is_a_server_that_is_down(proxy):
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    proxy.accept()
    socket.create_connection(("127.0.0.1", proxy.port), timeout=5).close()


def test_a_url_is_led_through_the_proxy(proxy):
    assert proxy.in_front_of("amqp://me:secret@broker:5672/shop") == f"amqp://me:secret@127.0.0.1:{proxy.port}/shop"


# --- mail ---


def test_the_mail_server_takes_djangos_mail(mail_server):
    send_mail("Out now", "Your book.", "shop@example.org", ["author@example.org"])
    [message] = mail_server.wait_for_messages(1)
    assert message["Subject"] == "Out now"
    assert message["To"] == "author@example.org"


def test_the_mail_server_refuses_when_told(mail_server):
    mail_server.refuse()
    with pytest.raises(smtplib.SMTPException, match="451"):
        send_mail("Out now", "Your book.", "shop@example.org", ["author@example.org"])
    mail_server.accept()
    send_mail("Out now", "Your book.", "shop@example.org", ["author@example.org"])
    assert (mail_server.attempts, len(mail_server.messages)) == (2, 1)


def test_the_mail_server_goes_down_and_comes_back_on_the_same_port(mail_server):
    mail_server.down()
    with pytest.raises(ConnectionRefusedError):
        send_mail("Out now", "Your book.", "shop@example.org", ["author@example.org"])
    mail_server.up()
    send_mail("Out now", "Your book.", "shop@example.org", ["author@example.org"])
    assert len(mail_server.messages) == 1


# --- the broker ---


def test_each_test_has_a_virtual_host_of_its_own(broker, vhost):
    with broker.vhost() as another:
        publish(another.url, "orders")
        assert vhost.queues() == []
        assert another.queues() == ["orders"]
        assert another.depth("orders") == 1


def test_a_virtual_host_is_gone_after_its_test(broker):
    with broker.vhost() as vhost:
        if not vhost.management:
            absent("this broker has no management interface to make virtual hosts with")
    with pytest.raises(amqp.exceptions.NotAllowed):
        publish(vhost.url, "orders")


def test_without_a_management_interface_what_a_test_declared_is_deleted(broker, monkeypatch):
    monkeypatch.setattr(broker.management, "answers", lambda: False)
    name = f"test-{uuid.uuid4()}"
    with broker.vhost() as vhost:
        with kombu.Connection(vhost.url) as connection:
            connection.default_channel.exchange_declare(name, "topic", durable=True, auto_delete=False)
        publish(vhost.url, name)
        assert vhost.depth(name) == 1
    with kombu.Connection(broker.url) as connection, pytest.raises(amqp.exceptions.NotFound):
        connection.default_channel.queue_declare(name, passive=True)
    with kombu.Connection(broker.url) as connection, pytest.raises(amqp.exceptions.NotFound):
        connection.default_channel.exchange_declare(name, "topic", passive=True)


def test_a_memory_alarm_blocks_who_publishes(broker_in_danger, vhost):
    blocked = []
    with broker_in_danger.memory_alarm():
        options = {"on_blocked": blocked.append}
        with kombu.Connection(vhost.url, transport_options=options) as connection:
            channel = connection.default_channel
            kombu.Producer(channel).publish("hello", routing_key="nowhere")
            wait_for(lambda: _drained(connection) or blocked, what="the broker to say that it blocks")
            connection.collect()
    publish(vhost.url, "orders")


def _drained(connection):
    try:
        connection.drain_events(timeout=0.1)
    except TimeoutError:
        return False
    return False


def test_the_broker_closes_connections_when_told(broker, vhost):
    with kombu.Connection(vhost.url) as connection:
        connection.connect()
        broker.close_connections(vhost.name)
        with pytest.raises(connection.recoverable_connection_errors):
            connection.drain_events(timeout=5)
        connection.collect()


def test_a_frozen_broker_answers_nobody_until_it_is_resumed(broker_in_danger):
    broker_in_danger.pause()
    assert not broker_in_danger.serves()
    broker_in_danger.resume()
    assert broker_in_danger.serves()


@pytest.mark.timeout(120)
def test_the_broker_keeps_what_is_durable_over_a_kill(broker_in_danger, vhost):
    publish(vhost.url, "orders")
    broker_in_danger.ctl("eval", "mnesia:sync_log().")  # the declaration may yet be in a buffer; the message is not
    broker_in_danger.kill()
    assert not broker_in_danger.serves()
    broker_in_danger.start()
    assert vhost.depth("orders") == 1


# --- databases ---


@pytest.mark.django_db(databases=["default", "archive"])
def test_there_are_two_databases_of_one_vendor():
    assert {connections[alias].vendor for alias in ("default", "archive")} == {connection.vendor}


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_sqlite_writes_ahead_and_locks_at_the_start():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)
    assert connection.transaction_mode == "IMMEDIATE"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_postgresql_comes_back_after_a_restart(postgresql_in_danger):
    connection.ensure_connection()
    postgresql_in_danger.restart()
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_postgresql_disconnects_clients_when_told(postgresql):
    connection.ensure_connection()
    assert postgresql.close_connections(connection.settings_dict["NAME"]) == 1
    connection.close()
