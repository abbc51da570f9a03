"""The world of a run: servers behind a bad network, a database with its tables, an environment for processes."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import django
import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg.sql import SQL, Identifier

from tests.services.hosts import Elsewhere
from tests.services.postgresql import PostgreSQL, postgresql
from tests.services.proxy import Proxy
from tests.services.rabbitmq import RabbitMQ, Vhost, rabbitmq

EMBEDDED = "database://?lease=2"


@dataclass
class World:
    """What there is to be broken, and how programs find it."""

    folder: Path
    env: dict[str, str]
    broker: RabbitMQ | None = None
    vhost: Vhost | None = None
    database: PostgreSQL | None = None
    links: dict[str, Proxy] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether the servers may be stopped and frozen."""
        return not any(isinstance(server.host, Elsewhere) for server in self.servers)

    @property
    def servers(self) -> list[RabbitMQ | PostgreSQL]:
        return [server for server in (self.broker, self.database) if server]

    @property
    def names(self) -> list[str]:
        """What it is made of, for the report."""
        found = [f"{server.name} {server.version}" for server in self.servers]
        return found or ["SQLite"]

    def heal(self) -> None:
        """End every fault that is left."""
        for link in self.links.values():
            link.to_server.flow()
            link.to_client.flow()
            link.accept()
        for server in self.servers:
            if self.ours:
                server.resume()
            if not server.serves():
                server.start()
        if self.broker and self.ours:
            self.broker.clear_alarm()


@contextmanager
def world(folder: Path, broker: str, database: str, env: Mapping[str, str]) -> Iterator[World]:
    """Build it, with migrated tables; take it down afterwards. This process sees it without the bad network."""
    with ExitStack() as stack:
        made = World(folder, {**env, "DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "CHAOS_FOLDER": str(folder)})
        _database(made, database, stack)
        _broker(made, broker, stack)
        _tables()
        yield made


def _database(made: World, database: str, stack: ExitStack) -> None:
    if database == "sqlite":
        direct = through = f"sqlite:///{made.folder}/chaos.sqlite3"
    else:
        made.database = postgresql()
        stack.callback(made.database.close)
        name = f"chaos_{os.getpid()}"
        with psycopg.connect(made.database.url, autocommit=True) as server:
            server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        direct = urlunsplit(urlsplit(made.database.url)._replace(path=f"/{name}"))
        through = _link(made, "database", direct, stack)
    made.env["CHAOS_DATABASE_URL"] = through
    os.environ.update(made.env, CHAOS_DATABASE_URL=direct)


def _broker(made: World, broker: str, stack: ExitStack) -> None:
    direct = through = EMBEDDED
    if broker == "amqp":
        made.broker = rabbitmq()
        stack.callback(made.broker.close)
        made.vhost = stack.enter_context(made.broker.vhost())
        direct = made.vhost.url
        through = _link(made, "broker", direct, stack)
    made.env["CHAOS_BROKER_URL"] = through
    os.environ["CHAOS_BROKER_URL"] = direct


def _link(made: World, name: str, url: str, stack: ExitStack) -> str:
    parts = urlsplit(url)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 0)
    stack.callback(proxy.close)
    made.links[name] = proxy
    return proxy.in_front_of(url)


def _tables() -> None:
    """Now that the environment says which database it is."""
    django.setup()
    from tests.chaos.models import Counter

    call_command("migrate", run_syncdb=True, verbosity=0)
    Counter.objects.bulk_create([Counter(key=f"k{n}") for n in range(int(os.environ["CHAOS_KEYS"]))])
    connection.close()
