"""Daemons that are asked how they are, by HTTP and through the socket of a supervisor."""

import json
import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from django.db import connection, transaction

from eventbridge import metrics
from eventbridge.models import Lease
from tests.services.processes import Process
from tests.services.waiting import wait_for


class Answer(NamedTuple):
    code: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def get(address: str, path: str) -> Answer:
    """What is served there. Raises OSError where nobody answers within a second or two."""
    try:
        with urlopen(f"http://{address}{path}", timeout=2) as answer:
            return Answer(answer.status, answer.read().decode())
    except HTTPError as error:
        with error:
            return Answer(error.code, error.read().decode())


def address_of(process: Process) -> str:
    """Where a daemon serves its health, as soon as its log says so."""
    process.wait_for_output("health is served at")
    found = re.search(r"health is served at http://(\S+)", process.output)
    assert found
    return found[1]


@pytest.fixture
def lease_is_locked() -> Callable[[], AbstractContextManager[None]]:
    """While it lasts, no relay gets through the statement that renews its lease."""

    @contextmanager
    def lock() -> Iterator[None]:
        with transaction.atomic():  # which locks SQLite as a whole
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"LOCK TABLE {Lease._meta.db_table} IN ACCESS EXCLUSIVE MODE")
            yield

    return lock


class Listener:
    """The socket that NOTIFY_SOCKET names, as systemd listens on it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._heard: list[str] = []
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(f"\0{path[1:]}" if path.startswith("@") else path)

    def hear(self, seconds: float = 0) -> list[str]:
        """What is said within so many seconds, line by line."""
        until, lines = time.monotonic() + seconds, []
        while select.select([self._end], [], [], max(0.0, until - time.monotonic()))[0]:
            lines += self._end.recv(4096).decode().split("\n")
        self._heard += lines
        return lines

    def everything(self) -> list[str]:
        """What was said so far."""
        self.hear()
        return self._heard

    def close(self) -> None:
        self._end.close()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(str(tmp_path / "notify"))
    yield listener
    listener.close()


@pytest.fixture
def counting() -> Iterator[None]:
    metrics.connect()
    yield
    metrics.disconnect()


@pytest.fixture
def daemons(daemon: Callable[..., Process]) -> tuple[str, str]:
    """Addresses of a relay and a consumer that count; both are ready."""
    env = {"SHOP_METRICS": "1"}
    consumer = address_of(daemon("eventbridge", "consume", "tests.telemetry.shop_consumers", env=env))
    wait_for(lambda: get(consumer, "/readyz").code == 200, what="the consumer to be ready")
    relay = address_of(daemon("eventbridge", "relay", env=env))
    wait_for(lambda: get(relay, "/readyz").code == 200, what="the relay to be ready")
    return relay, consumer
