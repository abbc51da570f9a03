"""The page that shows, or does, what the command beside a problem would."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import pairwise

from django.db import DEFAULT_DB_ALIAS

_SWITCHES = {"--parked": "parked", "--pending": "pending"}


@dataclass(frozen=True, slots=True)
class Answer:
    """``page`` is a model's, or a deed's (resume). ``about`` is what its address says besides the database."""

    words: str
    page: str
    about: dict[str, str]
    database: str


def answer_to(command: str) -> Answer | None:
    """For the commands of which the admin has the answer; None for the others."""
    try:
        program, name, *words = shlex.split(command) or ["", ""]
    except ValueError:
        return None
    database = _option(words, "--database") or DEFAULT_DB_ALIAS
    if (program, name) != ("manage.py", "eventbridge"):
        return None
    if words[:2] == ["dead", "list"] and (consumer := _option(words, "--consumer")):
        return Answer("Read them here", "deadletter", {"consumer": consumer}, database)
    if words[:2] == ["outbox", "list"]:
        state = next((state for switch, state in _SWITCHES.items() if switch in words), "")
        return Answer("See them here", "outboxentry", {"state": state} if state else {}, database)
    if words[:1] == ["resume"] and words[1:]:
        role = "relay" if words[1] == "relay" else "consumer"
        about = {"role": role, "name": database if role == "relay" else words[1]}
        return Answer("Resume it …", "resume", about, database)
    return None


def _option(words: list[str], name: str) -> str:
    return next((value for option, value in pairwise(words) if option == name), "")
