"""Each crash on each transport."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.crash.scene import Scene
from tests.services.processes import Process


@pytest.fixture(params=["database", "amqp"])
def scene(request: pytest.FixtureRequest, settings: Any, daemon: Callable[..., Process], tmp_path: Path) -> Scene:
    """The consumers' queues are there, and nothing runs."""
    url = "database://?lease=2" if request.param == "database" else request.getfixturevalue("vhost").url
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": url}
    scene = Scene(url, daemon, tmp_path / "handled.log")
    scene.declare()
    return scene
