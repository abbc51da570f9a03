"""What a daemon tells systemd, through a real socket."""

import os
from collections.abc import Callable

import pytest

from eventbridge import emit
from eventbridge.daemon import Daemon
from eventbridge.systemd import Supervisor
from tests.e2e.notes import Told
from tests.services.processes import Process
from tests.services.waiting import wait_for
from tests.telemetry.conftest import Listener, address_of, get

Start = Callable[..., Process]
real = pytest.mark.django_db(transaction=True, databases=["default", "archive"])


def env(supervisor: Listener, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": supervisor.path, "SHOP_RELAY_LEASE": "1", "SHOP_CONFIRM_TIMEOUT": "0.4", **more}


@real
def test_a_daemon_says_that_it_is_ready_how_it_is_and_that_it_stops(daemon: Start, supervisor: Listener):
    process = daemon("eventbridge", "relay", env=env(supervisor))
    wait_for(lambda: "READY=1" in supervisor.everything(), what="READY=1")
    wait_for(lambda: "STATUS=relay default is ready" in supervisor.everything(), what="its status")
    process.terminate()
    assert process.wait() == 0
    assert {"STOPPING=1", "EXTEND_TIMEOUT_USEC=30000000"} <= set(supervisor.everything())
    assert supervisor.everything().count("READY=1") == 1
    assert "WATCHDOG=1" not in supervisor.everything()


@real
def test_an_outage_at_the_start_is_no_reason_to_be_given_up(daemon: Start, supervisor: Listener):
    away = "amqp://guest:guest@127.0.0.1:1//"
    daemon("eventbridge", "consume", "tests.cli.shop_consumers", env=env(supervisor, SHOP_BROKER_URL=away))
    wait_for(lambda: "READY=1" in supervisor.everything(), 20, what="READY=1")
    assert any(line.startswith("STATUS=consumer cli.mail is waiting: ") for line in supervisor.everything())


@real
@pytest.mark.timeout(120)
def test_the_watchdog_is_fed_while_the_loops_turn_and_no_longer(daemon: Start, supervisor: Listener, lease_is_locked):
    process = daemon("eventbridge", "relay", env=env(supervisor, WATCHDOG_USEC="600000", SHOP_STUCK_AFTER="1"))
    wait_for(lambda: supervisor.everything().count("WATCHDOG=1") > 5, what="it to be fed")
    address = address_of(process)
    with lease_is_locked():
        wait_for(lambda: get(address, "/livez").code == 503, what="the loop to be stuck")
        supervisor.hear(0.5)
        assert "WATCHDOG=1" not in supervisor.hear(1.5)
    wait_for(lambda: "WATCHDOG=1" in supervisor.hear(0.2), what="it to be fed again")


@real
def test_while_it_drains_the_watchdog_is_fed(daemon: Start, supervisor: Listener):
    consumer = daemon("eventbridge", "consume", "tests.e2e.notes", env=env(supervisor, WATCHDOG_USEC="600000"))
    consumer.wait_for_output("consumer e2e.outside is ready")
    daemon("eventbridge", "relay")
    emit(Told(text="held", does="slow"))
    consumer.wait_for_output("slow held")
    consumer.terminate()
    wait_for(lambda: "STOPPING=1" in supervisor.hear(0.1), what="STOPPING=1")
    assert consumer.wait() == 0
    assert "WATCHDOG=1" in supervisor.everything()[supervisor.everything().index("STOPPING=1") :]


@real
def test_a_process_that_the_watchdog_ends_says_where_each_thread_was(daemon: Start, supervisor: Listener):
    process = daemon("eventbridge", "relay", env=env(supervisor, WATCHDOG_USEC="600000"))
    process.wait_for_output("relay default is ready")
    process.send(6)  # SIGABRT, as systemd does
    assert process.wait() == -6
    assert "in _keep_house" in process.output
    assert "Current thread 0x" in process.output


# --- without a process -----------------------------------------------------------------------------


def test_an_abstract_socket_is_one_too(monkeypatch):
    listener = Listener(f"@eventbridge-test-{os.getpid()}")
    monkeypatch.setenv("NOTIFY_SOCKET", listener.path)
    Supervisor().hear(Daemon(shutdown_timeout=1).health)
    assert "READY=1" in listener.everything()
    listener.close()


def test_the_watchdog_of_another_process_is_not_ours(monkeypatch, supervisor):
    monkeypatch.setenv("NOTIFY_SOCKET", supervisor.path)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getppid()))
    Supervisor().hear(Daemon(shutdown_timeout=1).health)
    assert supervisor.everything() == ["READY=1"]


def test_a_supervisor_that_went_away_or_never_listens_stops_nobody(monkeypatch, supervisor):
    monkeypatch.setenv("NOTIFY_SOCKET", supervisor.path)
    told = Supervisor()
    for _ in range(2000):  # more than the socket holds
        told.stopping(1)
    supervisor.close()
    told.stopping(1)
