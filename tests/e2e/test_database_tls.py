"""TLS to PostgreSQL: daemons work by it, and wait where the authority or the host's name is another."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.services.hosts import NotAvailable
from tests.services.postgresql import PostgreSQL, secure_postgresql
from tests.services.processes import Process
from tests.services.secrecy import SECRECY
from tests.services.waiting import wait_for

pytestmark = [pytest.mark.postgresql, pytest.mark.timeout(180)]

EMIT = "from eventbridge import emit; from tests.e2e.notes import Told; emit(Told(text='by TLS'))"


@pytest.fixture(scope="module")
def server(certificates: Path) -> Iterator[PostgreSQL]:
    """A PostgreSQL that takes clients by TLS alone."""
    try:
        server = secure_postgresql(certificates)
    except NotAvailable as reason:
        pytest.skip(str(reason))
    SECRECY.keep(password_of(server))
    yield server
    server.close()


@pytest.fixture
def at(server: PostgreSQL, certificates: Path, daemon: Callable[..., Process]) -> Callable[..., Process]:
    """Runs a command against it: `at("localhost", "ca.pem", "eventbridge", "relay")`."""
    parts = urlsplit(server.url)

    def start(host: str, authority: str, *command: str) -> Process:
        checked = f"sslmode=verify-full&sslrootcert={certificates / authority}"
        url = f"postgres://{parts.username}:{parts.password}@{host}:{parts.port}{parts.path}?{checked}"
        return daemon(*command, env={"SHOP_DATABASE_URL": url})

    return start


def password_of(server: PostgreSQL) -> str:
    return server.settings["PASSWORD"]


def test_events_are_relayed_and_handled_by_tls(server: PostgreSQL, at: Callable[..., Process]):
    migrated = at("localhost", "ca.pem", "migrate", "--verbosity", "0")
    assert migrated.wait(90) == 0, migrated.output
    relay = at("localhost", "ca.pem", "eventbridge", "relay")
    consumer = at("localhost", "ca.pem", "eventbridge", "consume", "tests.e2e.notes")
    consumer.wait_for_output("consumer e2e.notes is ready", 40)
    assert at("localhost", "ca.pem", "shell", "-c", EMIT).wait(40) == 0
    wait_for(lambda: server.ask("SELECT count(*) FROM shop_note WHERE text = 'by TLS'") == 1, 40, what="a note")
    assert server.ask("SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND datname <> ''")
    for process in (relay, consumer):
        process.terminate()
        assert process.wait(40) == 0


def test_nobody_gets_in_without_tls(server: PostgreSQL):
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(server.url, sslmode="disable")


@pytest.mark.parametrize("command", [("relay",), ("consume", "tests.e2e.notes")], ids=" ".join)
@pytest.mark.parametrize(
    ("host", "authority", "why"),
    [
        ("localhost", "other-ca.pem", "certificate verify failed"),
        ("127.0.0.1", "ca.pem", 'does not match host name "127.0.0.1"'),
    ],
    ids=["another authority", "another host name"],
)
def test_a_server_that_is_another_is_refused_and_the_daemon_waits_and_says_why(
    server: PostgreSQL, at: Callable[..., Process], command: tuple[str, ...], host: str, authority: str, why: str
):
    process = at(host, authority, "eventbridge", *command)
    process.wait_for_output("is waiting: database default: ", 40)
    process.wait_for_output(why)
    assert process.running
    assert password_of(server) not in process.output
    process.terminate()
    assert process.wait(40) == 0
