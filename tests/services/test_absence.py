"""What cannot be run is left out with the reason; with CI set it fails, as CONTRIBUTING says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.processes import ROOT
from tests.services.rabbitmq import Vhost


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 error"), ("", "1 skipped")])
def test_without_openssl_a_test_of_tls_is_left_out_and_with_ci_set_it_fails(
    tmp_path: Path, ci: str, outcome: str
) -> None:
    (tmp_path / "test_tls.py").write_text("def test_tls(certificates): pass")
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", tmp_path]
    env = {**os.environ, "CI": ci, "PATH": str(tmp_path)}
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert outcome in run.stdout, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("ci", "raised"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)], ids=["ci", "elsewhere"]
)
def test_without_a_management_interface_a_test_that_asks_it_is_left_out_and_with_ci_set_it_fails(
    monkeypatch: pytest.MonkeyPatch, ci: str, raised: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(raised, match="no management interface"):
        Vhost("/", "amqp://one//", None).queues()
