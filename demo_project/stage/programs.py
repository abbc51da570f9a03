"""The programs of the story, each in a process of its own: the site, the relay, the services."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"


class MissingError(Exception):
    """Something that should have happened did not. `log` is the end of the log that tells why, as it was then."""

    def __init__(self, what: str, program: "Program | None" = None) -> None:
        super().__init__(what)
        self.source = program.name if program else ""
        self.log = program.tail() if program else []


def wait_for(what: str, condition: Callable[[], T | None], seconds: float, program: "Program") -> T:
    """The condition's first true value. Raises MissingError when the time is over or the program has ended."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if not program.is_running():
            raise MissingError(f"{what}: {program.name} has ended (exit code {program.code})", program)
        if time.monotonic() > deadline:
            raise MissingError(f"{what}: not within {seconds:g} s", program)
        time.sleep(0.02)


class Program:
    """`manage.py` with a command, its output in a log file."""

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            # A session of its own: Ctrl-C reaches the story, which then stops its programs in order.
            self._process = subprocess.Popen(
                [sys.executable, str(MANAGE), *command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, once it has ended."""
        return self._process.returncode

    def is_running(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    def wait_for(self, words: str, seconds: float = 20) -> str:
        """The line of its log with these words."""
        return wait_for(f"{self.name} is ready", lambda: self._line(words), seconds, self)

    def tail(self, lines: int = 12) -> list[str]:
        """The end of its log."""
        return self.log.read_text(errors="replace").splitlines()[-lines:]

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        if self.is_running():
            self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> int:
        """Its exit code; killed, and -9, if it does not end in time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _line(self, words: str) -> str | None:
        lines = self.log.read_text(errors="replace").splitlines()
        return next((line for line in lines if words in line), None)


class Programs:
    """All of them: started one by one, stopped together."""

    def __init__(self, directory: Path, env: Mapping[str, str]) -> None:
        self.directory = directory
        self.env = {**_own_environment(), **env}
        self.running: list[Program] = []

    def start(self, name: str, *command: str, **env: str) -> Program:
        """Start `manage.py` with this command, these variables added to the environment."""
        program = Program(name, list(command), {**self.env, **env}, self.directory / f"{name}.log")
        self.running.append(program)
        return program

    def run(self, name: str, *command: str, **env: str) -> str:
        """Run `manage.py` with this command to its end; its output. Raises MissingError if it fails."""
        program = Program(name, list(command), {**self.env, **env}, self.directory / f"{name}.log")
        if program.wait(60):
            raise MissingError(f"manage.py {' '.join(command)}: exit code {program.code}", program)
        return program.log.read_text(errors="replace")

    def stop(self, seconds: float = 20) -> list[Program]:
        """Stop all by SIGTERM, all at once; those that did not end with exit code 0."""
        for program in self.running:
            program.ask_to_stop()
        failed = [program for program in self.running if program.wait(seconds) != 0]
        self.running.clear()
        return failed


def _own_environment() -> dict[str, str]:
    """This process's, less what would send the programs elsewhere."""
    elsewhere = ("DJANGO_SETTINGS_MODULE", "SECRET_KEY", "ALLOWED_HOSTS", "HTTPS", "BEHIND_PROXY", "LOG_LEVEL")
    kept = {k: v for k, v in os.environ.items() if k not in elsewhere and not k.startswith("EMAIL_")}
    return {**kept, "DEBUG": "1", "BOOKSTORE_DEMO": "1", "PYTHONUNBUFFERED": "1"}
