"""What nobody may tell: the passwords of this run's servers, looked for in everything that its programs write."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

_SHORTEST = 8
"""A password such as `guest` is also a word, and cannot be looked for."""
_IN_A_URL = re.compile(r"://[^:@/\s]*:([^@/;\s]+)@")


class Secrecy:
    """Knows passwords, searches texts for them, and remembers who told one."""

    def __init__(self) -> None:
        self.leaks: list[str] = []
        self._kept: set[str] = set()

    def keep(self, *passwords: str) -> None:
        """From now on nobody may tell these: neither as they are, nor as they stand in a URL, nor as repr has them.

        ValueError for one that is too short to be looked for: a test chooses a longer one.
        """
        for password in passwords:
            if len(password) < _SHORTEST:
                raise ValueError(f"{password!r} may be a word: choose a password of {_SHORTEST} characters or more")
            self._kept |= {password, quote(password, safe=""), quote(password), quote_plus(password)}
            self._kept |= {repr(password)[1:-1]}

    def keep_those_of(self, *urls: str) -> None:
        """The same for the passwords in these URLs; but somebody's own server may have a short one."""
        passwords = [unquote(found) for url in urls for found in _IN_A_URL.findall(url)]
        self.keep(*(password for password in passwords if len(password) >= _SHORTEST))

    def told(self, text: str) -> list[str]:
        """The lines of `text` that have a password, with `***` in its place."""
        return [self._without(line) for line in text.splitlines() if self._without(line) != line]

    def told_in(self, folder: Path) -> list[str]:
        """The same lines of every log in that folder, each with the log's name."""
        return [
            f"{log.name}: {line}"
            for log in sorted(folder.rglob("*.log"))
            for line in self.told(log.read_text(errors="replace"))
        ]

    def search(self, text: str) -> None:
        """Remember every line with a password, and the test in which it was written."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        self.leaks += [f"{test}: {line}" for line in self.told(text)]

    def write(self, terminal: Any) -> None:
        """A line for each, at the end of pytest's report."""
        for leak in self.leaks:
            terminal.line(f"A PASSWORD WAS TOLD in {leak}", red=True)

    def _without(self, line: str) -> str:
        for secret in sorted(self._kept, key=len, reverse=True):
            line = line.replace(secret, "***")
        return line


SECRECY = Secrecy()
"""This run's."""
