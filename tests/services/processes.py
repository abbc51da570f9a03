"""Programs that a test starts beside itself: daemons, mostly. None outlives its test."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.services.secrecy import SECRECY
from tests.services.waiting import wait_for

ROOT = Path(__file__).parents[2]


class Process:
    """A program in a process group of its own, its output (both streams) in a file.

    A password in that, or among its arguments, fails the whole run: one that is kept, or of a URL in ``env``.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.command = command
        self._log = log
        self._searched = False
        SECRECY.keep_those_of(*env.values())
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **env, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def wait_for_output(self, text: str, timeout: float = 20) -> str:
        """Its output, as soon as `text` is in it; AssertionError with the output if it ends or is late."""
        wait_for(lambda: text in self.output or not self.running, timeout, what=f"{text!r} in: {self.output}")
        assert text in self.output, f"{self} ended without saying {text!r}: {self.output}"
        return self.output

    def send(self, signum: int) -> None:
        """A signal to the process alone."""
        self._process.send_signal(signum)

    def terminate(self) -> None:
        """SIGTERM, as a supervisor sends it."""
        self.send(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the whole group, waited for."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(10)
        self._search()

    def wait(self, timeout: float = 20) -> int:
        """Its exit code, as soon as it has ended; AssertionError with the output if it does not."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self} is still running after {timeout} s: {self.output}") from None
        self._search()
        return code

    def _search(self) -> None:
        """Once, when it has ended."""
        if not self._searched:
            self._searched = True
            SECRECY.search(f"--- {self}\n{self.output}")

    def __str__(self) -> str:
        return " ".join(self.command)


class Processes:
    """Starts processes, and ends those that are left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Process] = []

    def start(self, *command: str, env: Mapping[str, str] | None = None) -> Process:
        """Run a program from the repository's root, with `env` added to this process's environment."""
        process = Process(command, env or {}, self._folder / f"process-{len(self._started)}.log")
        self._started.append(process)
        return process

    def python(self, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        """Run this Python."""
        return self.start(sys.executable, *arguments, env=env)

    def close(self) -> None:
        """Kill what still runs; print every output, which pytest shows with a test that failed."""
        for process in self._started:
            process.kill()
            print(f"--- {process}\n{process.output}")
