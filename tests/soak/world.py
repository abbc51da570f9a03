"""The world of a soak: a broker and a database of its own, with tables, and every process that works there."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import django
import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg.sql import SQL, Identifier

from tests.services.postgresql import PostgreSQL, postgresql
from tests.services.processes import Process
from tests.services.rabbitmq import RabbitMQ, Vhost, rabbitmq

_DJANGO = (sys.executable, "-m", "django", "eventbridge")
_PRODUCER = (sys.executable, "-m", "tests.soak.producer")
DAEMONS = {
    "relay": (*_DJANGO, "relay"),
    "standby": (*_DJANGO, "relay"),
    "consumers-1": (*_DJANGO, "consume"),
    "consumers-2": (*_DJANGO, "consume"),
}
PRODUCERS = {"producer-1": _PRODUCER, "producer-2": _PRODUCER}
_PATIENCE = 30.0


@dataclass
class World:
    """The servers, and the processes by their names."""

    folder: Path
    vhost: Vhost
    broker: RabbitMQ
    server: PostgreSQL
    database: str
    env: dict[str, str]
    processes: dict[str, Process] = field(default_factory=dict)

    def start(self, name: str) -> None:
        command = (DAEMONS | PRODUCERS)[name]
        env = {**self.env, "SOAK_NAME": name}
        self.processes[name] = Process(command, env, self.folder / f"{name}.log")

    def stop(self, name: str) -> int:
        """SIGTERM, waited for; the exit code."""
        process = self.processes[name]
        process.terminate()
        try:
            return process.wait(_PATIENCE)
        except AssertionError:
            process.kill()
            return -signal.SIGKILL

    def kill(self) -> None:
        for process in self.processes.values():
            process.kill()


@contextmanager
def world(folder: Path, rate: float = 0.0, settings: str = "tests.soak.settings") -> Iterator[World]:
    """Build it, with migrated tables; take it down afterwards. Whoever calls sees the same database."""
    os.environ["EVENTBRIDGE_TEST_POSTGRESQL_FSYNC"] = "on"
    with ExitStack() as stack:
        server, broker = postgresql(), rabbitmq()
        stack.callback(server.close)
        stack.callback(broker.close)
        vhost = stack.enter_context(broker.vhost())
        database = _database(server)
        env = {
            "DJANGO_SETTINGS_MODULE": settings,
            "SOAK_DATABASE_URL": database,
            "SOAK_BROKER_URL": vhost.url,
            "SOAK_RATE": str(rate / len(PRODUCERS)),
            "SOAK_HOLD": str(folder / "hold"),
        }
        os.environ.update(env)
        django.setup()
        call_command("migrate", run_syncdb=True, verbosity=0)
        connection.close()
        made = World(folder, vhost, broker, server, database, env)
        stack.callback(made.kill)
        yield made


def _database(server: PostgreSQL) -> str:
    name = f"soak_{os.getpid()}"
    with psycopg.connect(server.url, autocommit=True) as link:
        link.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return urlunsplit(urlsplit(server.url)._replace(path=f"/{name}"))
