"""The whole way in separate processes, on each transport."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.services.processes import Process

Start = Callable[..., Process]


@pytest.fixture
def lease() -> int:
    """Seconds after which the embedded broker redelivers what a dead process held."""
    return 2


@pytest.fixture(params=["database", "amqp"])
def transport(request: pytest.FixtureRequest, settings: Any, lease: int) -> str:
    """Each test runs on both; daemons that it starts use the same."""
    url = f"database://?lease={lease}" if request.param == "database" else request.getfixturevalue("vhost").url
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": url}
    return str(request.param)


@pytest.fixture
def relay(transport: str, daemon: Start) -> Callable[..., Process]:
    """Starts a relay and waits until it is ready, or stands by."""

    def start(says: str = "is ready", **env: str) -> Process:
        process = daemon("eventbridge", "relay", env=env)
        process.wait_for_output(says)
        return process

    return start


@pytest.fixture
def consume(transport: str, daemon: Start) -> Callable[..., Process]:
    """Starts consumers of ``tests.e2e.notes`` and waits until all are ready."""

    def start(module: str = "tests.e2e.notes", **env: str) -> Process:
        process = daemon("eventbridge", "consume", module, env=env)
        process.wait_for_output("consumer e2e.outside is ready")
        for name in ("notes", "others", "ordered", "outside"):
            process.wait_for_output(f"consumer e2e.{name} is ready")
        return process

    return start
