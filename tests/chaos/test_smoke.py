"""Short chaos runs, so that the long ones work when they are asked for: `make chaos`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services import postgresql, rabbitmq
from tests.services.processes import ROOT

_TIMEOUT = 280
_OURS = not {rabbitmq.URL_VARIABLE, postgresql.URL_VARIABLE} & set(os.environ)
_SERVERS = ["broker", "database"] if _OURS else []  # a server that is not ours is left in peace


def chaos(folder: Path, minutes: str, broker: str) -> dict[str, Any]:
    """The figures of a run that held."""
    command = (sys.executable, "-m", "tests.chaos", "--minutes", minutes, "--seed", "1", "--broker", broker)
    process = subprocess.Popen([*command, "--output", folder], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        told, _ = process.communicate(timeout=_TIMEOUT - 10)
    finally:
        process.terminate()
        process.wait()
    assert process.returncode == 0, told
    [result] = folder.glob("*.json")
    figures: dict[str, Any] = json.loads(result.read_text())
    return figures


@pytest.mark.sqlite
@pytest.mark.timeout(_TIMEOUT)
def test_a_few_seconds_of_chaos_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    figures = chaos(tmp_path, "0.2", "database")
    assert figures["passed"]
    assert sum(figures["fired"].values()) > 5


@pytest.mark.postgresql
@pytest.mark.usefixtures("broker", "postgresql")
@pytest.mark.timeout(_TIMEOUT)
def test_a_few_seconds_of_chaos_on_rabbitmq_and_postgresql_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    figures = chaos(tmp_path, "0.3", "amqp")
    assert figures["passed"]
    assert [server.split()[0] for server in figures["servers"]] == ["RabbitMQ", "PostgreSQL"]
    for target in ["relay", "producer", "link", *_SERVERS]:
        assert [fault for fault in figures["fired"] if fault.endswith(f" {target}")], f"no fault of a {target}"
    assert set(figures["consumers"]) == {f"chaos.{name}" for name in ("atomic", "batch", "ordered", "outside")}
    assert all(consumer["effects"] for consumer in figures["consumers"].values())
