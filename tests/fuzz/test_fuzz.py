"""A small run on each transport, so that the long one works when it is asked for: `make fuzz`."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.services.processes import ROOT

MESSAGES = 400


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of this run's kind. (`transactional_db` would be the tests' own.)"""
    if os.environ.get("EVENTBRIDGE_TEST_DATABASE") != "postgresql":
        return f"sqlite:///{tmp_path}/fuzz.sqlite3"
    server = request.getfixturevalue("postgresql")
    name = f"fuzz_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return urlunsplit(urlsplit(server.url)._replace(path=f"/{name}"))


@pytest.mark.django_db
@pytest.mark.timeout(170)
@pytest.mark.parametrize("transport", ["amqp", "database"])
def test_whatever_is_sent_ends_as_an_effect_a_counted_duplicate_or_a_whole_dead_letter(
    transport: str, database_url: str, tmp_path: Path, request: pytest.FixtureRequest
):
    env: dict[str, Any] = {**os.environ, "FUZZ_DATABASE_URL": database_url}
    if transport == "amqp":
        env["FUZZ_BROKER_URL"] = request.getfixturevalue("vhost").url
    command = [sys.executable, "-m", "tests.fuzz", "--messages", MESSAGES, "--seed", "1", "--broker", transport]
    process = subprocess.Popen(
        [*map(str, command), "--output", tmp_path], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    )
    try:
        told, _ = process.communicate(timeout=160)
    finally:
        process.terminate()
        process.wait()
    assert process.returncode == 0, told
    figures = json.loads((tmp_path / f"eventbridge-fuzz-{transport}-1.json").read_text())
    assert figures["passed"]
    assert figures["restarts"] == 0
    assert figures["deliveries"] >= MESSAGES
