"""Where a test server lives, and what can be done to it there: a private process, a container, elsewhere."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.services.waiting import wait_for


class NotAvailable(Exception):
    """This way to get a server is not open on this machine; the message says why."""


class Host(Protocol):
    """What tests do to a server. `start` returns at once; the server's own class knows when it is ready."""

    how: str  # for the report: "private server", "container postgres:17", …

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def run(self, *command: str) -> str: ...
    def close(self) -> None: ...


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether someone takes connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def family(pid: int) -> list[int]:
    """The process and all its descendants. (A group is not enough: PostgreSQL's backends leave theirs.)"""
    parents = _parents()
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def _parents() -> dict[int, int]:
    """Every process's parent: from /proc, or where there is none (macOS) from ps."""
    if not Path("/proc/self/stat").exists():
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
        return {int(child): int(parent) for child, parent in map(str.split, listing.splitlines())}
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended while we were looking
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return parents


def signal_family(pid: int, signum: int) -> None:
    """Send a signal to a process and all its descendants; those that are gone already are passed over."""
    for member in family(pid):
        with suppress(ProcessLookupError):
            os.kill(member, signum)


class PrivateProcess:
    """A server of our own, started from an installed program, with a folder that dies with it.

    A small watcher removes both even when the test run itself is killed: its standard input closes then.
    """

    def __init__(self, prefix: str, owner: str | None = None) -> None:
        self.how = "private server"
        self.owner = owner
        self.folder = Path(tempfile.mkdtemp(prefix=f"eventbridge-{prefix}-"))
        self.log = self.folder / "output.log"
        if owner:
            shutil.chown(self.folder, owner)
        self.command: Sequence[str] = ()
        self.env: Mapping[str, str] = {}
        self.stop_signal = signal.SIGTERM
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = subprocess.Popen(
            ["sh", "-c", 'read _; kill -9 $(cat "$1/pids") 2>/dev/null; sleep 0.1; rm -rf "$1"', "sh", self.folder],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_owner(),
            )
        self._note_pids()

    def ready(self, condition: Callable[[], Any], timeout: float = 90) -> None:
        """Wait for `condition`; a server that ends instead is NotAvailable, with its last words."""
        wait_for(lambda: condition() or not self.alive, timeout=timeout, every=0.05, what=f"{self.command[0]} to be up")
        if not self.alive:
            words = " ".join(self.log.read_text(errors="replace").split())
            raise NotAvailable(f"{self.command[0]} ended at once: {words[-300:]}")
        self._note_pids()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """An orderly shutdown, waited for."""
        self._signal_group(self.stop_signal)
        self._gone(timeout=30)

    def kill(self) -> None:
        """As a power cut would."""
        if self._process:
            signal_family(self._process.pid, signal.SIGKILL)
            self._gone(timeout=10)

    def pause(self) -> None:
        """Freeze every process of the server: connections stay open and nothing answers."""
        if self._process:
            signal_family(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self._process:
            signal_family(self._process.pid, signal.SIGCONT)

    def run(self, *command: str) -> str:
        """Run a program as the server's owner, with the server's environment; its output."""
        done = subprocess.run(
            command, env=self.env, cwd=self.folder, capture_output=True, text=True, check=False, **self._as_owner()
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        output: str = done.stdout
        return output

    def close(self) -> None:
        self.kill()
        self._watcher.communicate(b"")

    def _as_owner(self) -> dict[str, Any]:
        return {"user": self.owner, "group": self.owner, "extra_groups": []} if self.owner else {}

    def _note_pids(self) -> None:
        assert self._process
        (self.folder / "pids").write_text(" ".join(map(str, family(self._process.pid))))

    def _signal_group(self, signum: int) -> None:
        if self.alive and self._process:
            os.killpg(self._process.pid, signum)

    def _gone(self, timeout: float) -> None:
        if self._process:
            self._process.wait(timeout)


class Elsewhere:
    """A server that was given to us by its address: it can be used, and nothing can be done to it."""

    def __init__(self, how: str) -> None:
        self.how = how

    def _cannot(self) -> None:
        pytest.skip(f"a server given by {self.how} cannot be stopped, frozen or commanded")

    def start(self) -> None:
        self._cannot()

    def stop(self) -> None:
        self._cannot()

    def kill(self) -> None:
        self._cannot()

    def pause(self) -> None:
        self._cannot()

    def resume(self) -> None:
        self._cannot()

    def run(self, *command: str) -> str:
        self._cannot()
        return ""

    def close(self) -> None:
        """Not ours to close."""
