"""promtool, which checks and tests Prometheus' rules: from the PATH, or as root on Debian with apt-get."""

import shutil
import subprocess
from pathlib import Path

from tests.services.choice import choose
from tests.services.debian import install
from tests.services.hosts import NotAvailable


class Promtool:
    name = "promtool"

    def __init__(self, program: str) -> None:
        self._program = program

    def __call__(self, *arguments: str | Path) -> str:
        """What it says; AssertionError with that if it finds something wrong."""
        run = subprocess.run([self._program, *arguments], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout


def promtool() -> Promtool:
    """Raises NotAvailable, with the reasons, where there is none."""
    return choose({"private": _found, "install": _installed}, forced_by="EVENTBRIDGE_TEST_PROMTOOL")


def _found() -> Promtool:
    if program := shutil.which("promtool"):
        return Promtool(program)
    raise NotAvailable("promtool is not installed")


def _installed() -> Promtool:
    install("prometheus")
    return _found()
