"""The world of a run: a broker and a database of its own, and every project's programs in their environments."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Identifier

from benchmarks.bench import Skipped
from benchmarks.child import Child
from benchmarks.queues import Queues
from benchmarks.venvs import PEERS, python_of
from tests.services.hosts import Elsewhere, NotAvailable, PrivateProcess, free_port, listens
from tests.services.postgresql import PostgreSQL, postgresql
from tests.services.processes import Process
from tests.services.rabbitmq import RabbitMQ, Vhost, rabbitmq
from tests.services.waiting import wait_for

_GIVEN = {
    "EVENTBRIDGE_BENCH_BROKER_URL": "EVENTBRIDGE_TEST_BROKER_URL",
    "EVENTBRIDGE_BENCH_DATABASE_URL": "EVENTBRIDGE_TEST_DATABASE_URL",
}
"""Servers that somebody names; without them private ones are started, as for the tests."""


class World:
    """Made when it is first needed, piece by piece; gone when it is closed. For one thread."""

    def __init__(self, folder: Path, peers: set[str]) -> None:
        self.folder = folder
        self.peers = peers
        self._stack = ExitStack()
        self.programs: dict[tuple[str, str], Child] = {}
        self._daemons = 0
        os.environ["EVENTBRIDGE_TEST_POSTGRESQL_FSYNC"] = "on"
        os.environ |= {theirs: os.environ[ours] for ours, theirs in _GIVEN.items() if ours in os.environ}
        folder.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        for child in self.programs.values():
            child.close()
        self._stack.close()

    # --- servers ---

    @cached_property
    def postgresql(self) -> PostgreSQL:
        try:
            server = postgresql()
        except NotAvailable as reason:
            raise Skipped(f"no PostgreSQL: {reason}") from reason
        self._stack.callback(server.close)
        return server

    @cached_property
    def rabbitmq(self) -> RabbitMQ:
        try:
            server = rabbitmq()
        except NotAvailable as reason:
            raise Skipped(f"no RabbitMQ: {reason}") from reason
        self._stack.callback(server.close)
        return server

    @cached_property
    def vhost(self) -> Vhost:
        return self._stack.enter_context(self.rabbitmq.vhost())

    @cached_property
    def queues(self) -> Queues:
        made = Queues(self.vhost.url)
        self._stack.callback(made.close)
        return made

    @cached_property
    def stomp(self) -> str:
        """Where RabbitMQ speaks STOMP, for the one peer that needs it."""
        parts = urlsplit(self.vhost.url)
        port = self._stomp_port(parts.hostname or "127.0.0.1")
        location = f"{parts.username}:{parts.password}@{parts.hostname}:{port}"
        return urlunsplit(("stomp", location, parts.path, "", ""))

    def _stomp_port(self, host: str) -> int:
        server, port = self.rabbitmq, free_port()
        if isinstance(server.host, PrivateProcess):
            listener = f'[{{"127.0.0.1", {port}}}], [{{persistent, true}}]'
            server.ctl("eval", f"application:set_env(rabbitmq_stomp, tcp_listeners, {listener}).")
            server.host.run("rabbitmq-plugins", "enable", "rabbitmq_stomp")
            wait_for(lambda: listens(port), timeout=30, every=0.1, what="STOMP")
            return port
        if not listens(61613, host):
            raise Skipped(f"nobody speaks STOMP at {host}:61613")
        return 61613

    def database(self, name: str) -> str:
        """The URL of an empty database of that name."""
        url, name = self.postgresql.url, f"bench_{os.getpid()}_{name.replace('-', '_')}"
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        if isinstance(self.postgresql.host, Elsewhere):
            self._stack.callback(self._drop, name)
        return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))

    def _drop(self, name: str) -> None:
        with psycopg.connect(self.postgresql.url, autocommit=True) as server:
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    # --- programs ---

    def child(self, project: str, module: str, database: str = "postgresql") -> Child:
        """The program ``benchmarks.inside.<module>`` of a project, with its tables. Raises Skipped."""
        key = (project, database)
        if key not in self.programs:
            python, env = self._python(project), self.env(project, database)
            log = self.folder / f"{project}-{database}.log"
            self.programs[key] = child = Child(python, f"benchmarks.inside.{module}", env, log)
            child("prepare")
        return self.programs[key]

    def daemon(self, project: str, *command: str, database: str = "postgresql", **env: str) -> Process:
        """``python …`` in a project's environment, started. The caller ends it."""
        self._daemons += 1
        log = self.folder / f"daemon-{self._daemons}-{project}.log"
        return Process([str(self._python(project)), *command], {**self.env(project, database), **env}, log)

    def env(self, project: str, database: str = "postgresql") -> dict[str, str]:
        """What a program of that project needs to know."""
        url = self._urls.get((project, database)) or self._new_database(project, database)
        self._urls[project, database] = url
        found = {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "BENCH_PROJECT": project,
            "BENCH_DATABASE_URL": url,
            "BENCH_BROKER_URL": self.vhost.url if database == "postgresql" else "database://",
        }
        return {**found, "BENCH_STOMP_URL": self.stomp} if project == "django-outbox-pattern" else found

    @cached_property
    def _urls(self) -> dict[tuple[str, str], str]:
        return {}

    def _new_database(self, project: str, database: str) -> str:
        if database == "postgresql":
            return self.database(project)
        path = self.folder / f"{project}.sqlite3"
        for old in self.folder.glob(f"{path.name}*"):
            old.unlink()
        return f"sqlite:///{path.resolve()}"

    def _python(self, project: str) -> Path:
        if project not in PEERS:
            return Path(sys.executable)
        if project not in self.peers:
            raise Skipped("left out by PEERS")
        return python_of(project)
