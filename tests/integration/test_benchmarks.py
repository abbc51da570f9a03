"""A bench in a minute, so that the long ones work when they are asked for: `make bench`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.postgresql import PostgreSQL
from tests.services.processes import ROOT
from tests.services.rabbitmq import RabbitMQ


@pytest.mark.sqlite
@pytest.mark.timeout(300)
def test_a_bench_prints_its_table_and_writes_its_figures(
    tmp_path: Path, broker: RabbitMQ, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTBRIDGE_BENCH_BROKER_URL", broker.url)
    monkeypatch.setenv("EVENTBRIDGE_TEST_BROKER_MANAGEMENT_URL", broker.management.url)
    monkeypatch.setenv("EVENTBRIDGE_BENCH_DATABASE_URL", postgresql.url)
    options = ("--only", "emit,relay", "--peers", "none", "--rounds", "1", "--small")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *options, "--output", tmp_path / "bench.json"],
        cwd=ROOT, capture_output=True, text=True, timeout=290, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    benches = json.loads((tmp_path / "bench.json").read_text())["benches"]
    assert set(benches["relay"]["skipped"].values()) == {"left out by PEERS"}
    assert benches["emit"]["figures"]["eventbridge, 1 a transaction, save with its event"]["median"] > 0
    assert benches["relay"]["figures"]["eventbridge"]["median"] > 0
    assert "relay : py-amqp without a database" in done.stdout
