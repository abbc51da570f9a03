"""The guard that looks for passwords in whatever programs write."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.processes import ROOT
from tests.services.secrecy import Secrecy

PASSWORD = "p@ss/w:rd é"


@pytest.mark.parametrize(
    "line",
    [
        f"connecting to amqp://user:{PASSWORD}@host",
        "connecting to amqp://user:p%40ss%2Fw%3Ard%20%C3%A9@host",
        "connecting to amqp://user:p%40ss/w%3Ard%20%C3%A9@host",
        "DATABASES = {'PASSWORD': 'p@ss/w:rd é'}",
    ],
)
def test_a_password_is_found_as_it_is_and_as_a_url_has_it(line: str) -> None:
    secrecy = Secrecy()
    secrecy.keep(PASSWORD)
    secrecy.search(f"a line\n{line}\nguest")
    [leak] = secrecy.leaks
    assert "test_a_password_is_found" in leak
    assert "***" in leak
    assert "rd" not in leak.rpartition("::")[2].replace("word", "").partition(": ")[2]


def test_a_password_that_may_be_a_word_is_refused_but_a_server_of_somebody_elses_may_have_one() -> None:
    secrecy = Secrecy()
    with pytest.raises(ValueError, match="choose a password of 8 characters or more"):
        secrecy.keep("s3cret")
    secrecy.keep_those_of("amqp://guest:guest@one//", "sqlite:///file", "postgres://shop:battery%2Fstaple@two/shop")
    assert secrecy.told("guest\nbattery/staple") == ["***"]


def test_the_passwords_of_the_urls_that_a_process_is_given_are_looked_for_in_what_it_writes(tmp_path: Path) -> None:
    """Whoever starts it, in a test or in a run of its own: here in another interpreter."""
    script = (
        "import sys; from pathlib import Path; from tests.services.processes import Process, SECRECY\n"
        "env = {'BROKER_URL': 'amqp://shop:battery-staple@one//'}\n"
        "log = Path(sys.argv[1]) / 'told.log'\n"
        "assert Process(['sh', '-c', 'echo $BROKER_URL'], env, log).wait() == 0\n"
        "print(SECRECY.leaks, SECRECY.told_in(log.parent))"
    )
    env = {**os.environ, "PYTEST_CURRENT_TEST": ""}
    run = subprocess.run(
        [sys.executable, "-c", script, tmp_path], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    line = "amqp://shop:***@one//"
    assert run.stdout == f"[': {line}'] ['told.log: {line}']\n"


@pytest.mark.parametrize(("says", "code"), [("the password is {}", 1), ("nothing", 0)])
def test_a_daemon_that_tells_a_password_fails_the_run_although_its_test_passes(
    tmp_path: Path, says: str, code: int
) -> None:
    says = says.format("battery-staple")
    (tmp_path / "test_told.py").write_text(
        "from tests.services.secrecy import SECRECY\n"
        "def test_told(processes):\n"
        "    SECRECY.keep('battery-staple')\n"
        f"    assert processes.start('echo', {says!r}).wait() == 0\n"
    )
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", tmp_path]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider"], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr
    assert run.returncode == code
    assert ("A PASSWORD WAS TOLD in" in run.stdout) == bool(code)
    assert "battery-staple" not in run.stdout
