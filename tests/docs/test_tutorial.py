"""The tutorial, followed to the letter: its files written, its commands run, its daemons started."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, blocks, read
from tests.services.processes import Process, Processes
from tests.services.rabbitmq import Vhost
from tests.services.waiting import wait_for

BROKER_URL = "amqp://guest:guest@127.0.0.1:5672/"
NOT_RUN, NEEDS_RABBITMQ, FAILS = "not run", "needs RabbitMQ", "fails"
DAEMONS = ("relay", "consume")


@pytest.mark.timeout(240)
def test_a_newcomer_gets_from_an_empty_folder_to_a_handled_event(tmp_path: Path, processes: Processes) -> None:
    steps = [block for block in blocks(read("docs/tutorial.md")) if NEEDS_RABBITMQ not in block.directives]
    Newcomer(tmp_path, processes).follow(steps)


@pytest.mark.timeout(240)
def test_a_newcomer_who_goes_on_has_the_same_on_rabbitmq(tmp_path: Path, processes: Processes, vhost: Vhost) -> None:
    text = read("docs/tutorial.md")
    assert BROKER_URL in text
    Newcomer(tmp_path, processes).follow(blocks(text.replace(BROKER_URL, vhost.url)))
    assert "shop.packing" in vhost.queues()


class Newcomer:
    """Does what a page says, in a folder of their own, with one terminal for each daemon.

    A command whose output the page shows only looks: it is repeated until it says so, as a reader would.
    """

    def __init__(self, folder: Path, processes: Processes) -> None:
        self.folder = folder
        self._processes = processes
        self._daemons: dict[str, Process] = {}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._env = {"PATH": programs, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "mysite.settings"}

    def follow(self, steps: Iterable[Block]) -> None:
        for block in steps:
            if NOT_RUN not in block.directives:
                try:
                    self._do(block)
                except AssertionError as error:
                    raise AssertionError(f"docs/tutorial.md, line {block.line}: {error}") from error

    def _do(self, block: Block) -> None:
        for directive in block.directives:
            verb, _, name = directive.rpartition(" ")
            if verb == "stop":
                self._stop(name)
            elif verb == "output of":
                self._see(name, block.text)
                return
            else:
                assert directive in (NEEDS_RABBITMQ, FAILS), f"nobody knows what {directive!r} means"
        if block.language == "python":
            self._write(block.text)
        else:
            assert block.language == "console", f"nobody knows what to do with {block.language!r}"
            for command, expected in _commands(block.text):
                if FAILS in block.directives:
                    self._fail(command, expected)
                else:
                    self._type(command, expected)

    def _write(self, text: str) -> None:
        """The first line is a comment with the file's name, and perhaps that this goes to its end."""
        name, _, where = text.splitlines()[0].removeprefix("# ").partition(", ")
        assert where in ("", "at the end")
        with (self.folder / name).open("a" if where else "w") as file:
            file.write(text)

    def _type(self, command: str, expected: str) -> None:
        words = shlex.split(command)
        if words[0] == "cd":
            self.folder = (self.folder / words[1]).resolve(strict=True)
        elif words[-1] in DAEMONS:
            self._start(words, expected)
        elif expected:
            wait_for(lambda: _says(self._run(words), expected), 30, 0.2, f"{command} to say {expected}")
        else:
            self._run(words)

    def _fail(self, command: str, expected: str) -> None:
        """What a page shows of a command that is meant to fail."""
        output = self._run(shlex.split(command), 1)
        assert _says(output, expected), f"{command} does not say {expected!r}, but: {output}"

    def _run(self, words: list[str], code: int = 0) -> str:
        run = subprocess.run(
            words,
            check=False,
            cwd=self.folder,
            env={**os.environ, **self._env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == code, f"{shlex.join(words)} ended with {run.returncode}: {run.stdout}{run.stderr}"
        return run.stdout + run.stderr

    # --- the other terminals ---

    def _start(self, words: list[str], expected: str) -> None:
        assert words[:2] == ["python", "manage.py"]
        name = words[-1]
        assert name not in self._daemons, f"{name} runs already"
        self._daemons[name] = self._processes.python(str(self.folder / "manage.py"), *words[2:], env=self._env)
        self._see(name, expected)

    def _see(self, name: str, expected: str) -> None:
        daemon = self._daemons[name]
        with suppress(AssertionError):
            wait_for(lambda: _says(daemon.output, expected) or not daemon.running, 30, 0.1)
        assert _says(daemon.output, expected), f"{name} does not say {expected!r}, but: {daemon.output}"

    def _stop(self, name: str) -> None:
        daemon = self._daemons.pop(name)
        daemon.terminate()
        assert daemon.wait() == 0


def _commands(text: str) -> Iterable[tuple[str, str]]:
    """Each line that begins with a prompt, and what the page shows below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected.strip("\n")


def _says(output: str, expected: str) -> bool:
    """Whether every expected line is in the output. An ellipsis stands for anything."""
    patterns = [".*".join(map(re.escape, line.split("…"))) for line in expected.splitlines()]
    return all(re.search(pattern, output) for pattern in patterns)
