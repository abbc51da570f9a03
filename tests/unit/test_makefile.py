"""The Makefile: what it lists, and what it says where it cannot go on."""

import os
import re
import subprocess

import pytest

from tests.services.processes import ROOT


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """A make of its own, although the tests may run within one."""
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(["make", "-n", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_a_target_that_makes_no_file_of_its_name_is_phony() -> None:
    text = (ROOT / "Makefile").read_text()
    listed = re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)
    assert set(listed) <= {
        name for names in re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE) for name in names.split()
    }


@pytest.mark.parametrize("python", ["python3.99", "false"])
def test_a_python_that_does_not_run_here_is_said_before_anything_is_made(python: str) -> None:
    done = make("check", f"PYTHON={python}")
    assert done.returncode != 0
    assert done.stdout == ""
    assert f"{python} does not run here: give its full path" in done.stderr
