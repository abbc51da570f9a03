"""The machine and the versions: a figure without them says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.child import ROOT
from benchmarks.world import World
from eventbridge.conf import Settings

_OURS = ("Django", "psycopg", "kombu", "amqp", "pika", "msgspec", "eventbridge")
_SETTINGS = ("RELAY_BATCH", "RELAY_LEASE", "CONFIRM_TIMEOUT", "POLL_INTERVAL", "HEARTBEAT")


def machine(world: World) -> dict[str, Any]:
    """What it ran on. The servers are named if they were used."""
    used = world.__dict__
    servers = {
        name: f"{used[name].version} ({used[name].host.how})" for name in ("postgresql", "rabbitmq") if name in used
    }
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {_memory()} GiB, {_processor()}, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": _commit(),
        "packages": {name: version(name) for name in _OURS},
        "servers": servers,
        "eventbridge, by default": {name: getattr(Settings, name) for name in _SETTINGS},
    }


def _commit() -> str:
    command = ("git", "describe", "--always", "--dirty")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "not in a repository"


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
