"""Passwords of broker and database: told by nobody, whatever goes well or wrong, and written into no table."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from django.apps import apps
from django.db import connection

from eventbridge import emit
from eventbridge.models import DeadLetter, OutboxEntry
from tests.e2e.notes import Told
from tests.services.hosts import free_port
from tests.services.postgresql import PostgreSQL
from tests.services.processes import Process
from tests.services.rabbitmq import RabbitMQ, Vhost
from tests.services.secrecy import SECRECY, Secrecy
from tests.services.waiting import wait_for

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "archive"]),
    pytest.mark.timeout(300),
]
BROKERS, DATABASES, WRONG = "broker p@ss/w:rd é;%1", "database p@ss/w:rd é;%2", "wrong p@ss/w:rd é;%3"
NOTES = "tests.e2e.notes"
LOOKS = [
    ("check",),
    ("eventbridge", "status"),
    ("eventbridge", "status", "--json"),
    ("eventbridge", "describe", NOTES),
    ("eventbridge", "topology", NOTES),
    ("eventbridge", "topology", "--apply", NOTES, "--traceback"),
    ("eventbridge", "topology", "--export", "--users", NOTES),
    ("eventbridge", "dead", "list"),
    ("eventbridge", "dead", "list", "--json"),
    ("eventbridge", "outbox", "list", "--traceback"),
    ("eventbridge", "relay", "--once", "--traceback"),
    ("eventbridge", "prune", "-v", "3"),
]
Run = Callable[..., list[Process]]


@pytest.fixture(autouse=True)
def secrecy() -> Secrecy:
    """The run's own guard looks for them, too, in what this test's daemons write."""
    SECRECY.keep(BROKERS, DATABASES, WRONG)
    return SECRECY


@pytest.fixture
def broker_url(broker: RabbitMQ, vhost: Vhost) -> Iterator[str]:
    """The test's virtual host, for a user with a password of that kind."""
    user = f"secretive-{vhost.name}"
    broker.management.put(f"/users/{user}", {"password": BROKERS, "tags": ""})
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    broker.management.put(f"/permissions/{vhost.name}/{user}", everything)
    yield vhost.as_user(user, BROKERS)
    broker.management.delete(f"/users/{user}")


def at(url: str, password: str) -> str:
    """The URL with another password."""
    parts = urlsplit(url)
    return url.replace(f"{parts.username}:{parts.password}@", f"{parts.username}:{quote(password, safe='')}@")


def say(processes: Sequence[Process], word: str) -> None:
    for process in processes:
        process.wait_for_output(word, 60)


@pytest.fixture
def run(daemon: Callable[..., Process]) -> Run:
    """Starts these commands at once, in a project that logs everything, with that environment."""

    def start(*commands: Sequence[str], **env: str) -> list[Process]:
        return [daemon(*command, env={"DJANGO_SETTINGS_MODULE": "tests.e2e.loud", **env}) for command in commands]

    return start


def look_at_everything(run: Run, **env: str) -> list[Process]:
    letters = [("eventbridge", "dead", "show", str(pk), *how) for pk in ids() for how in ((), ("--json",))]
    looks = run(*LOOKS, *letters, **env)
    for look in looks:
        look.wait(120)
    return looks


def ids() -> list[int]:
    return list(DeadLetter.objects.values_list("pk", flat=True))


def rows() -> str:
    """Every value in every table of ours."""
    models = apps.get_app_config("eventbridge").get_models()
    return "\n".join(repr(values) for model in models if model._meta.managed for values in model.objects.values())


def nobody_told(secrecy: Secrecy, processes: Sequence[Process]) -> None:
    told = {str(process): secrecy.told(f"{process}\n{process.output}") for process in processes}
    assert {process: lines for process, lines in told.items() if lines} == {}
    assert secrecy.told(rows()) == []


DAEMONS = (("eventbridge", "relay", "-v", "3"), ("eventbridge", "consume", NOTES, "-v", "3"))


def test_no_password_is_told_while_events_are_handled_and_fail(run: Run, broker_url: str, secrecy: Secrecy):
    daemons = run(*DAEMONS, SHOP_BROKER_URL=broker_url)
    say(daemons, " is ready")
    emit(Told(text="bad", does="fail"))
    wait_for(DeadLetter.objects.exists, 60, what="a dead letter")
    looks = look_at_everything(run, SHOP_BROKER_URL=broker_url)
    assert any("as it was told" in look.output for look in looks)
    nobody_told(secrecy, [*daemons, *looks])
    OutboxEntry.objects.update(parked_reason=BROKERS)
    DeadLetter.objects.update(error=BROKERS)
    assert secrecy.told(rows()), "what is searched must be what is there"


@pytest.mark.parametrize("trouble", ["a wrong password", "a broker that is away", "a broker that goes"])
def test_no_password_is_told_where_the_broker_cannot_be_used(
    run: Run, broker_url: str, broker: RabbitMQ, proxy_to: Any, secrecy: Secrecy, trouble: str
):
    proxy = proxy_to(broker.url)
    url = at(proxy.in_front_of(broker_url), WRONG) if "wrong" in trouble else proxy.in_front_of(broker_url)
    if "away" in trouble:
        url = url.replace(f":{urlsplit(url).port}/", f":{free_port()}/")
    daemons = run(*DAEMONS, SHOP_BROKER_URL=url)
    if "goes" in trouble:
        say(daemons, " is ready")
        proxy.refuse()
        proxy.cut()
        emit(Told(text="late"))
    say(daemons, " is waiting")
    looks = look_at_everything(run, SHOP_BROKER_URL=url)
    assert any("waits" in look.output for look in looks), "status says why"
    nobody_told(secrecy, [*daemons, *looks])


@pytest.fixture
def database_url(postgresql: PostgreSQL, database_urls: dict[str, str]) -> Iterator[str]:
    """The test's database, for a user with a password of that kind."""
    with psycopg.connect(postgresql.url, autocommit=True) as server:
        server.execute("CREATE ROLE secretive SUPERUSER LOGIN PASSWORD '" + DATABASES + "'")
        parts = urlsplit(database_urls["DATABASE_URL"])
        yield f"postgres://secretive:{quote(DATABASES, safe='')}@{parts.hostname}:{parts.port}{parts.path}"
        server.execute("DROP ROLE secretive")


@pytest.mark.postgresql
@pytest.mark.parametrize("trouble", ["none", "a wrong password", "a server that is away", "no such database"])
def test_no_password_of_a_database_is_told(run: Run, database_url: str, secrecy: Secrecy, trouble: str):
    url = at(database_url, WRONG) if "wrong" in trouble else database_url
    if "away" in trouble:
        url = url.replace(f":{urlsplit(url).port}/", f":{free_port()}/")
    if "no such" in trouble:
        url = url.replace(str(connection.settings_dict["NAME"]), "nowhere")
    daemons = run(*DAEMONS, SHOP_DATABASE_URL=url)
    say(daemons, " is ready" if trouble == "none" else " is waiting")
    looks = look_at_everything(run, SHOP_DATABASE_URL=url)
    assert trouble == "none" or any("cannot be reached" in look.output for look in looks)
    nobody_told(secrecy, [*daemons, *looks])
