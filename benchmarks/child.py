"""Child: a program of a bench in its own process and environment, which does what it is told, line by line.

Both ends are here. The far end may run in a peer's environment: nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class ChildError(RuntimeError):
    """What the other end raised, in its own words."""


class Child:
    """``python -m module``, started at once; called like a function, with the name of a command."""

    def __init__(self, python: Path, module: str, env: Mapping[str, str], log: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), "-m", module],
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("ab"),
            text=True,
        )
        self.pid = self._process.pid
        self._log = log

    def __call__(self, command: str, **arguments: Any) -> Any:
        """Have it done, and wait. Raises ChildError."""
        assert self._process.stdin  # noqa: S101 they are pipes
        assert self._process.stdout  # noqa: S101
        self._process.stdin.write(json.dumps([command, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ChildError(f"it ended: {tail(self._log)}")
        answer = json.loads(line)
        if "error" in answer:
            raise ChildError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def tail(log: Path, characters: int = 400) -> str:
    """The last words in a log, on one line."""
    return " ".join(log.read_text(errors="replace").split())[-characters:]


def serve(*commands: Callable[..., Any]) -> None:
    """The far end: these functions, by their names, until the other end has gone."""
    known = {command.__name__: command for command in commands}
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what anybody prints is for the log
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"result": known[name](**arguments)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
