"""Installing a server on a fresh Debian or Ubuntu machine, where we are root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.hosts import NotAvailable

POLICY = Path("/usr/sbin/policy-rc.d")


def install(package: str) -> None:
    """apt-get install the package, saying so; Debian's own service of it is not started."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NotAvailable(f"{package} is not installed, and installing it takes root and apt-get")
    print(f"\n{package} is not installed: installing it with apt-get …", flush=True)
    with _services_left_alone():
        for command in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", package]):
            _apt_get(*command)


def _apt_get(*arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotAvailable(f"apt-get {arguments[0]} failed: {' '.join((done.stdout + done.stderr).split())[-600:]}")


@contextmanager
def _services_left_alone() -> Iterator[None]:
    """While this file is there, Debian's packages start no service (deb-systemd-invoke and invoke-rc.d ask it)."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
