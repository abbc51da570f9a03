"""What the bookstore's own consumers need, and the broker with what compose.yaml gives it."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from eventbridge.topology import Binding, Exchange, Queue, Topology
from eventbridge.transports import Options
from tests.services.absence import absent
from tests.services.rabbitmq import RabbitMQ
from tests.services.secrecy import SECRECY

ROOT = Path(__file__).parents[2]
_DUMP = """
import dataclasses, json, django
django.setup()
from eventbridge.conf import settings
from eventbridge.consumer import consumers_in
from eventbridge.topology import topology_of
print(json.dumps(dataclasses.asdict(topology_of(consumers_in(settings.CONSUMERS)))))
"""


@pytest.fixture(scope="session")
def bookstore_topology() -> Topology:
    """The topology of the bookstore's consumers, read by a process that has the bookstore's apps installed."""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "consumers.settings", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", _DUMP], cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=60
    )
    found = json.loads(run.stdout)
    return Topology(
        exchanges=tuple(Exchange(**item) for item in found["exchanges"]),
        queues=tuple(Queue(**item) for item in found["queues"]),
        bindings=tuple(Binding(**item) for item in found["bindings"]),
    )


@pytest.fixture(scope="session")
def exported() -> dict[str, Any]:
    """What `eventbridge topology --export --users` says of the bookstore."""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "consumers.settings", "BROKER_URL": "amqp://rabbitmq/bookstore"}
    command = [sys.executable, "demo_project/manage.py", "eventbridge", "topology", "--export", "--users"]
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=60)
    content: dict[str, Any] = json.loads(run.stdout)
    return content


@pytest.fixture(scope="session")
def definitions() -> dict[str, Any]:
    """deploy/rabbitmq/definitions.json."""
    content: dict[str, Any] = json.loads((ROOT / "deploy" / "rabbitmq" / "definitions.json").read_text())
    return content


class Loaded:
    """The definitions, loaded into a broker under names of this test's own, so that nothing there is touched."""

    def __init__(self, broker: RabbitMQ, prefix: str) -> None:
        self._address = urlsplit(broker.url)
        self._prefix = prefix

    def options(self, user: str) -> Options:
        """How the daemon of this user connects, with its password for development."""
        host, port = self._address.hostname, self._address.port
        password = f"{user}-development"
        SECRECY.keep(password)
        url = f"amqp://{self._prefix}{user}:{password}@{host}:{port}/{self._prefix}bookstore"
        return Options(url=url, app_id="/bookstore")


@pytest.fixture
def loaded(broker: RabbitMQ, definitions: dict[str, Any]) -> Iterator[Loaded]:
    """The definitions in the broker of this run. Needs its management interface."""
    if not broker.management.answers():
        absent("this broker has no management interface to load definitions through")
    prefix = f"test-{uuid.uuid4().hex[:8]}-"
    broker.management.post("/definitions", _renamed(definitions, prefix))
    yield Loaded(broker, prefix)
    with suppress(OSError):
        broker.management.delete(f"/vhosts/{prefix}bookstore")
    for user in definitions["users"]:
        with suppress(OSError):
            broker.management.delete(f"/users/{quote(prefix + user['name'])}")


def _renamed(definitions: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Users and virtual host get the prefix; everything else stays as it is."""
    renamed: dict[str, Any] = json.loads(json.dumps(definitions))
    for kind, items in renamed.items():
        for item in items:
            for key in {"users": ("name",), "vhosts": ("name",)}.get(kind, ("vhost", "user")):
                if key in item:
                    item[key] = prefix + item[key]
    return renamed
