"""Where a project's programs run: our own environment, or a peer's, made here."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from functools import cache
from pathlib import Path

from benchmarks.bench import Skipped
from benchmarks.child import ROOT

_DJANGO = ("Django>=5.2,<6", "psycopg[binary]>=3.2")  # the same for everybody: what differs is the peer
PEERS = {
    "django-outbox-pattern": ("django-outbox-pattern>=3.2", *_DJANGO),
    "django-celery-outbox": ("django-celery-outbox>=0.4", *_DJANGO),
    "celery": ("celery>=5.5", *_DJANGO),
    "dramatiq": ("dramatiq[rabbitmq]>=2", *_DJANGO),
    "faststream-outbox": ("faststream[rabbit]", "faststream-outbox[asyncpg]"),
}
_SAID = 300


@cache
def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment, which is made if need be. Raises Skipped, with pip's reason."""
    wanted = PEERS[peer]
    # "-{}" of the requirements: other versions, another environment. `make clean` knows the name.
    mark = hashlib.sha256("\n".join((sys.version, *wanted)).encode()).hexdigest()[:8]
    folder = ROOT / f".venv-bench-{peer}-{mark}"
    done = folder / "installed"
    if not done.exists():
        _say(f"Installing {peer} into {folder.name} …")
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted)
        done.touch()
    return folder / "bin" / "python"


def versions_in(peer: str) -> dict[str, str]:
    """What is installed there, by name."""
    listing = _run(str(python_of(peer)), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check")
    pairs = (line.split("==") for line in listing.splitlines() if "==" in line)
    return {name: version for name, version in pairs if name not in ("pip", "setuptools", "wheel")}


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = " ".join((done.stdout + done.stderr).split())
        raise Skipped(f"{' '.join(command[1:4])} failed: {words[-_SAID:]}")
    return done.stdout


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
