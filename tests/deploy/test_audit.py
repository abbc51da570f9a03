"""make audit: what is known is told, and that nobody could be asked is never taken for good news."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FINE = {"name": "fine", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "fine", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        ({"dependencies": [FINE]}, 0, "1 packages audited, no known vulnerabilities."),
        ({"dependencies": [FINE, BAD]}, 1, "bad 1.0: PYSEC-2026-1, mended in 1.1"),
        ({"dependencies": [UNKNOWN]}, 2, "NOT AUDITED"),
        ({"dependencies": []}, 2, "NOT AUDITED"),
        (None, 2, "NOT AUDITED: no advisory service could be asked (ConnectionError: no such host)"),
    ],
    ids=["none known", "one known", "a mirror without advisories", "nothing", "no network"],
)
def test_the_exit_code_tells_none_some_and_not_audited(tmp_path: Path, answer: Any, code: int, says: str) -> None:
    """Another pip-audit stands in: what the real one finds changes from day to day."""
    tool = "import sys; sys.exit('Traceback\\nConnectionError: no such host')"
    (tmp_path / "pip_audit.py").write_text(f"print({json.dumps(answer)!r})" if answer else tool)
    run = subprocess.run(
        [sys.executable, ".ci/audit.py"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == code
    assert says in run.stdout + run.stderr


def test_every_version_is_pinned_for_the_audit() -> None:
    """What is not pinned is not looked at."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all("==" in line for line in lines if line and not line.startswith("#"))
