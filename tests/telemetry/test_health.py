"""/livez, /readyz and /statusz of real daemons, and a server that may break as it likes."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command

from eventbridge import Consumer, emit
from eventbridge.assembly import open_publisher
from eventbridge.crew import Crew
from eventbridge.daemon import Daemon
from eventbridge.models import Heartbeat
from eventbridge.server import HealthServer, Page, place_of
from tests.e2e.notes import Told
from tests.services.processes import Process
from tests.services.proxy import Proxy
from tests.services.rabbitmq import Vhost
from tests.services.waiting import wait_for
from tests.telemetry.conftest import address_of, get

Start = Callable[..., Process]
QUICK = {"SHOP_RELAY_LEASE": "1", "SHOP_CONFIRM_TIMEOUT": "0.4", "SHOP_STUCK_AFTER": "1"}
AWAY = "amqp://shop:s3cret-battery-staple@127.0.0.1:1//"
real = pytest.mark.django_db(transaction=True, databases=["default", "archive"])


def code(address: str, path: str) -> int:
    return get(address, path).code


@real
def test_a_daemon_that_works_is_live_and_ready_and_says_how_it_is(daemon: Start):
    address = address_of(daemon("eventbridge", "consume", "tests.cli.shop_consumers"))
    wait_for(lambda: code(address, "/readyz") == 200, what="the consumer to be ready")
    assert get(address, "/livez") == (200, "ok\n")
    told = wait_for(lambda: (told := get(address, "/statusz").json)["parts"][0]["figures"] and told, what="figures")
    (part,) = told["parts"]
    assert (told["live"], told["ready"], told["why"]) == (True, True, [])
    assert (part["role"], part["name"], part["state"], part["figures"]["handled"]) == (
        "consumer",
        "cli.mail",
        "ready",
        0,
    )
    assert part["turned_seconds_ago"] < 5


@real
def test_status_shows_where_each_daemon_serves_its_health(daemon: Start, capsys: Any):
    process = daemon("eventbridge", "relay")
    address = address_of(process)
    wait_for(lambda: Heartbeat.objects.filter(figures__health=address).exists(), what="a heartbeat with the address")
    call_command("eventbridge", "status")
    assert f"health {address}" in capsys.readouterr().out


@real
def test_two_daemons_do_not_fight_for_a_port(daemon: Start):
    addresses = {address_of(daemon("eventbridge", "relay")) for _ in range(2)}
    assert len(addresses) == 2
    for address in addresses:
        wait_for(lambda a=address: code(a, "/readyz") == 200, what="active and standby to be ready")


@real
@pytest.mark.parametrize("command", [("relay",), ("consume", "tests.cli.shop_consumers")], ids=["relay", "consume"])
def test_a_daemon_whose_broker_is_away_is_live_but_not_ready(daemon: Start, command: tuple[str, ...]):
    emit(Told(text="one"))
    env = {**QUICK, "SHOP_STUCK_AFTER": "3"}  # shorter than it rests between two tries, by and by
    process = daemon("eventbridge", *command, env={**env, "SHOP_BROKER_URL": AWAY})
    address = address_of(process)
    answer = wait_for(lambda: (a := get(address, "/readyz")).text.partition(" is ")[2].startswith("waiting: no") and a)
    assert answer.code == 503
    assert "s3cret" not in answer.text
    until = time.monotonic() + 12
    while time.monotonic() < until:
        assert get(address, "/livez") == (200, "ok\n")
        time.sleep(0.2)  # between two probes


@real
@pytest.mark.timeout(120)
def test_daemons_are_live_through_an_outage_of_rabbitmq_and_ready_again_after_it(
    daemon: Start, vhost: Vhost, proxy_to: Callable[[str], Proxy], settings: Any
):
    proxy = proxy_to(vhost.url)
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": proxy.in_front_of(vhost.url)}
    commands = (("relay",), ("consume", "tests.cli.shop_consumers"))
    addresses = [address_of(daemon("eventbridge", *command)) for command in commands]
    for address in addresses:
        wait_for(lambda a=address: code(a, "/readyz") == 200, 20, what="it to be ready")
    proxy.refuse()
    proxy.cut()
    emit(Told(text="one"))
    for address in addresses:
        wait_for(lambda a=address: code(a, "/readyz") == 503, 20, what="it not to be ready")
        assert code(address, "/livez") == 200
    proxy.accept()
    for address in addresses:
        wait_for(lambda a=address: code(a, "/readyz") == 200, 40, what="it to be ready again")
        assert code(address, "/livez") == 200


@real
@pytest.mark.postgresql
@pytest.mark.timeout(120)
def test_daemons_are_live_through_an_outage_of_the_database_and_ready_again_after_it(
    daemon: Start, database_urls: dict[str, str], proxy_to: Callable[[str], Proxy]
):
    proxy = proxy_to(database_urls["DATABASE_URL"])
    env = {"SHOP_DATABASE_URL": proxy.in_front_of(database_urls["DATABASE_URL"])}
    commands = (("relay",), ("consume", "tests.cli.shop_consumers"))
    addresses = [address_of(daemon("eventbridge", *command, env=env)) for command in commands]
    for address in addresses:
        wait_for(lambda a=address: code(a, "/readyz") == 200, 20, what="it to be ready")
    proxy.refuse()
    proxy.cut()
    for address in addresses:
        wait_for(lambda a=address: code(a, "/readyz") == 503, 20, what="it not to be ready")
        assert code(address, "/livez") == 200
    proxy.accept()
    for address in addresses:
        wait_for(lambda a=address: code(a, "/readyz") == 200, 40, what="it to be ready again")
        assert code(address, "/livez") == 200


@real
@pytest.mark.timeout(120)
def test_a_loop_that_hangs_is_not_live_until_it_turns_again(daemon: Start, lease_is_locked):
    address = address_of(daemon("eventbridge", "relay", env=QUICK))
    wait_for(lambda: code(address, "/readyz") == 200, what="the relay to be ready")
    with lease_is_locked():
        wait_for(lambda: code(address, "/livez") == 503, what="it to be stuck")
        assert "relay default has not turned for" in get(address, "/livez").text
        assert code(address, "/readyz") == 503
        assert get(address, "/statusz").json["live"] is False
    wait_for(lambda: code(address, "/livez") == 200, what="it to turn again")


@real
def test_a_daemon_whose_port_is_taken_does_its_work_and_serves_as_soon_as_it_can(daemon: Start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = daemon("eventbridge", "relay", "--health-address", address)
        process.wait_for_output(f"no health server at {address}, it will be tried again")
        process.wait_for_output("relay default is ready")
    wait_for(lambda: address in process.output.partition("is served at")[2], what="it to be served")
    assert code(address, "/livez") == 200


@real
def test_a_daemon_need_not_serve_anything(daemon: Start):
    process = daemon("eventbridge", "relay", "--health-address", "")
    process.wait_for_output("relay default is ready")
    process.terminate()
    assert process.wait() == 0
    assert "health" not in process.output


@real
def test_an_address_that_is_none_is_refused(daemon: Start):
    process = daemon("eventbridge", "relay", "--health-address", "9464")
    assert process.wait() == 2
    assert "'9464' is not HOST:PORT, such as 127.0.0.1:9464" in process.output


# --- without a process -----------------------------------------------------------------------------


@pytest.fixture
def serve() -> Iterator[Callable[..., HealthServer]]:
    servers = []

    def start(pages: dict[str, Callable[[], Page]], address: str = "127.0.0.1:0") -> HealthServer:
        servers.append(HealthServer(address, pages))
        servers[-1].start()
        wait_for(lambda: servers[-1].address, what="the server to serve")
        return servers[-1]

    yield start
    for server in servers:
        server.close()
    wait_for(lambda: not any(server.address for server in servers), what="the servers to be closed")


def test_a_page_that_breaks_is_an_answer_and_others_go_on(serve, caplog):
    server = serve({"/broken": lambda: 1 / 0, "/fine": lambda: Page(200, b"fine")})
    assert code(server.address, "/broken") == 500
    assert "ZeroDivisionError" in caplog.text
    assert get(server.address, "/fine?x=1") == (200, "fine")
    assert get(server.address, "/") == (404, "There are /broken /fine\n")


def test_clients_that_say_nothing_or_nonsense_hold_up_nobody(serve):
    server = serve({"/fine": lambda: Page(200, b"fine")})
    host, port = place_of(server.address)
    silent = [socket.create_connection((host, port)) for _ in range(20)]
    with socket.create_connection((host, port)) as rude:
        rude.sendall(b"\x00\xff\r\n\r\n")
    assert get(server.address, "/fine") == (200, "fine")
    for end in silent:
        end.close()


def test_it_serves_on_ipv6(serve):
    server = serve({"/fine": lambda: Page(200, b"fine")}, "[::1]:0")
    assert server.address.startswith("[::1]:")
    assert get(server.address, "/fine") == (200, "fine")


@pytest.mark.parametrize(
    ("address", "place"),
    [("127.0.0.1:9464", ("127.0.0.1", 9464)), ("[::1]:80", ("::1", 80)), (":0", ("", 0)), ("pod:1", ("pod", 1))],
)
def test_an_address_is_a_host_and_a_port(address, place):
    assert place_of(address) == place


@pytest.mark.parametrize("address", ["", "9464", "127.0.0.1", "host:http", "host:65536", "::1:80", "host:-1"])
def test_anything_else_is_no_address(address):
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        place_of(address)


def test_while_it_stops_a_daemon_is_live_and_not_ready():
    daemon = Daemon(shutdown_timeout=1)
    assert (daemon.health.stuck(), daemon.health.unready()) == ([], [])
    daemon.stop()
    assert (daemon.health.stuck(), daemon.health.unready()) == ([], ["stopping"])


def test_a_daemon_whose_main_loop_hangs_is_stuck():
    daemon = Daemon(shutdown_timeout=1, stuck_after=30)
    daemon.turned -= 31
    assert daemon.health.stuck() == ["the main loop has not turned for 31 s"]


class Deaf:
    """A subscriber that hangs as soon as it is asked, until it is let go."""

    def __init__(self, goes_on: threading.Event) -> None:
        self.goes_on = goes_on

    def deliveries(self, wait: float) -> Iterator[None]:
        self.goes_on.wait()
        while True:
            time.sleep(0.01)
            yield None

    def close(self, deadline: float) -> None: ...


def test_a_consumer_is_stuck_if_one_of_its_pumps_is():
    daemon, goes_on = Daemon(shutdown_timeout=1, stuck_after=0.3), threading.Event()
    sources = [lambda: Deaf(set_event()), lambda: Deaf(goes_on)]
    crew = Crew(Consumer("deaf"), sources, daemon.stopping, lambda: daemon.deadline, open_publisher())
    daemon.parts.append(crew)
    crew.start()
    wait_for(lambda: "consumer deaf has not turned for 0 s" in daemon.health.stuck(), what="it to be stuck")
    goes_on.set()
    wait_for(lambda: not [line for line in daemon.health.stuck() if "deaf" in line], what="it to turn")
    daemon.stop()
    assert crew.join(time.monotonic() + 5)


def set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event
