"""The fixtures that every test can ask for: a broker, databases, processes, mail, a bad network.

A server is started when the first test asks for it. Where one cannot be had, the tests that need it are skipped
with the reason; with CI set they fail.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import django
import pytest
from django.db import connections

from tests.services.absence import absent
from tests.services.certificates import make_certificates
from tests.services.hosts import NotAvailable
from tests.services.mail import MailServer
from tests.services.postgresql import PostgreSQL
from tests.services.postgresql import postgresql as get_postgresql
from tests.services.processes import Process, Processes
from tests.services.proxy import Proxy
from tests.services.rabbitmq import RabbitMQ, Vhost
from tests.services.rabbitmq import rabbitmq as get_rabbitmq
from tests.services.report import Report
from tests.services.secrecy import SECRECY
from tests.settings import smtp

Server = TypeVar("Server", RabbitMQ, PostgreSQL)
REPORT = pytest.StashKey[Report]()
VENDOR = os.environ.get("EVENTBRIDGE_TEST_DATABASE") or "sqlite"
DEVELOPERS_OWN = ("DATABASE_URL", "BROKER_URL", "EMAIL_URL", "EMAIL_HOST", "EMAIL_PORT")
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "postgresql", "database_urls", "daemon"}


# --- which tests this run is for, and its report ---


def pytest_configure(config: pytest.Config) -> None:
    if VENDOR not in ("sqlite", "postgresql"):
        raise pytest.UsageError(f"EVENTBRIDGE_TEST_DATABASE={VENDOR} is neither sqlite nor postgresql")
    for name in DEVELOPERS_OWN:  # programs that tests start inherit the environment
        os.environ.pop(name, None)
    config.stash[REPORT] = Report()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what belongs to the other run: nothing runs twice that asks no database."""
    reasons = {item: reason for item in items if (reason := _other_runs(item))}
    if reasons:
        left_out = config.stash[REPORT].left_out
        for reason in reasons.values():
            left_out[reason] = left_out.get(reason, 0) + 1
        config.hook.pytest_deselected(items=list(reasons))
        items[:] = [item for item in items if item not in reasons]


def _other_runs(item: pytest.Item) -> str | None:
    if VENDOR == "sqlite":
        return "that hold on PostgreSQL only" if item.get_closest_marker("postgresql") else None
    if item.get_closest_marker("sqlite"):
        return "that hold on SQLite only"
    return None if _uses_a_database(item) else "that use no database"


def _uses_a_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    in_a_django_case = hasattr(getattr(item, "cls", None), "databases")
    return in_a_django_case or bool(item.get_closest_marker("django_db") or fixtures & DATABASE_FIXTURES)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Whatever the tests say: a daemon that told a password fails the run."""
    if SECRECY.leaks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.option.collectonly:
        config.stash[REPORT].write(terminalreporter)
        SECRECY.write(terminalreporter)


# --- servers ---


def _serve(get: Callable[[], Server], name: str, config: pytest.Config) -> Iterator[Server]:
    capture = config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():  # installing one takes a while: it is said when it begins
            server = get()
    except NotAvailable as reason:
        config.stash[REPORT].not_run[name] = str(reason)
        absent(f"there is no {name} here: the end of the report says why")
    config.stash[REPORT].use(server.name, server.version, server.how)
    yield server
    server.close()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    """The RabbitMQ of this run. A test that stops, freezes or blocks it asks for `broker_in_danger` instead."""
    yield from _serve(get_rabbitmq, "RabbitMQ", request.config)


@pytest.fixture
def broker_in_danger(broker: RabbitMQ) -> Iterator[RabbitMQ]:
    """The broker, to be stopped, killed, frozen or blocked: it serves again when the test is over."""
    yield broker
    with suppress(Exception):
        broker.resume()
    if not broker.serves():
        broker.start()


@pytest.fixture(scope="session")
def broker_url(broker: RabbitMQ) -> str:
    """The broker's own URL, of its default virtual host."""
    return broker.url


@pytest.fixture
def vhost(broker: RabbitMQ) -> Iterator[Vhost]:
    """A virtual host where the test is alone; `vhost.url` is a BROKER_URL."""
    with broker.vhost() as vhost:
        yield vhost


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest) -> Iterator[PostgreSQL]:
    """The PostgreSQL of this run."""
    yield from _serve(get_postgresql, "PostgreSQL", request.config)


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The Chromium of this run: tests.services.browser."""
    from tests.services.browser import browser

    yield from _serve(browser, "Chromium", request.config)


@pytest.fixture
def postgresql_in_danger(postgresql: PostgreSQL, transactional_db: None) -> Iterator[PostgreSQL]:
    """The PostgreSQL that holds the test databases, to be stopped, killed or frozen: it serves again afterwards."""
    yield postgresql
    with suppress(Exception):
        postgresql.resume()
    if not postgresql.serves():
        postgresql.start()
    connections.close_all()  # they may be of the server that was


# --- databases ---


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Say where the test databases are, before pytest-django creates them. SQLite's are files, for other processes."""
    if VENDOR == "postgresql":
        server = request.getfixturevalue("postgresql")
        for alias in connections:
            connections.settings[alias].update(server.settings)
            connections.settings[alias]["TEST"]["NAME"] = f"test_eventbridge_{alias}_{os.getpid()}"
        return
    request.config.stash[REPORT].use("SQLite", sqlite3.sqlite_version, "files")
    folder = tmp_path_factory.mktemp("databases")
    for alias in connections:
        connections.settings[alias]["TEST"]["NAME"] = str(folder / f"{alias}.sqlite3")


@pytest.fixture
def database_urls(transactional_db: None) -> dict[str, str]:
    """DATABASE_URL and ARCHIVE_DATABASE_URL of the test databases, as another process needs them."""
    return {"DATABASE_URL": _url("default"), "ARCHIVE_DATABASE_URL": _url("archive")}


def _url(alias: str) -> str:
    place = connections[alias].settings_dict
    if "sqlite3" in place["ENGINE"]:
        return f"sqlite:///{place['NAME']}"
    return f"postgres://{place['USER']}:{quote(place['PASSWORD'])}@{place['HOST']}:{place['PORT']}/{place['NAME']}"


# --- what stands beside the tests ---


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts programs beside the test: `processes.start("program", "argument", env={…})`."""
    processes = Processes(tmp_path)
    yield processes
    processes.close()


@pytest.fixture
def daemon(processes: Processes, database_urls: dict[str, str], settings: Any) -> Callable[..., Process]:
    """Starts `manage.py` commands in a process of their own: `daemon("eventbridge", "relay", env={…})`.

    ``program`` is the module that is run with these arguments, in place of Django's.
    They use the test's databases, the broker that `settings.EVENTBRIDGE` names when they start,
    and its mail server.
    """

    def start(*arguments: str, program: str = "django", env: dict[str, str] | None = None) -> Process:
        ours = {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "SHOP_BROKER_URL": settings.EVENTBRIDGE.get("BROKER_URL", ""),
            **{f"SHOP_{name}": url for name, url in database_urls.items()},
        }
        return processes.python("-m", program, *arguments, env={**ours, **(env or {})})

    return start


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem and other-ca.pem; server.pem with server.key, by the first, for `localhost` only."""
    if not shutil.which("openssl"):
        absent("openssl makes the certificates, and there is none here")
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def proxy_to() -> Iterator[Callable[[str], Proxy]]:
    """Puts a bad network in front of a server: `proxy = proxy_to(url)`, then use `proxy.in_front_of(url)`."""
    proxies = []

    def put(url: str) -> Proxy:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        proxies.append(Proxy(parts.hostname, parts.port))
        return proxies[-1]

    yield put
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def mail_server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """An SMTP server that Django's mail goes to, of this process and of programs started from now on."""
    server = MailServer()
    for prefix in ("", "SHOP_"):  # as the bookstore's settings and the shop's ask for them
        monkeypatch.setenv(f"{prefix}EMAIL_HOST", server.host)
        monkeypatch.setenv(f"{prefix}EMAIL_PORT", str(server.port))
    if django.VERSION < (6, 1):  # pytest-django has put the one that sends nothing here
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    for name, value in smtp(server.host, server.port).items():
        setattr(settings, name, value)
    yield server
    server.down()
