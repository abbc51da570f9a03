"""A short chaos run, so that the long one works when it is asked for: `make chaos`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.processes import ROOT


@pytest.mark.sqlite
@pytest.mark.timeout(170)
def test_a_few_seconds_of_chaos_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "tests.chaos", "--minutes", "0.2", "--seed", "1", "--broker", "database")
    process = subprocess.Popen([*command, "--output", tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        told, _ = process.communicate(timeout=160)
    finally:
        process.terminate()
        process.wait()
    assert process.returncode == 0, told
    [result] = tmp_path.glob("*.json")
    figures = json.loads(result.read_text())
    assert figures["passed"]
    assert sum(figures["fired"].values()) > 5
