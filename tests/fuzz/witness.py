"""What the fuzzed process saw: a receiver of eventbridge's own signals, and a file of what has no row of its own."""

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ATTRIBUTES = ("cloudevents_", "cloudevents:", "ce-")
_LONGEST_NAME, _LONGEST_VALUE = 255, 20_000
_hand = threading.local()


def clean(value: str, longest: int) -> str:
    """Text as a dead letter shows it."""
    text = value.replace("\x00", "\N{SYMBOL FOR NULL}").encode("utf-8", "backslashreplace").decode()
    return text[:longest]


def digest(body: bytes, headers: Mapping[str, Any]) -> str:
    """What tells one message from another: its body, and what of its headers is text and part of the event."""
    attributes = {
        clean(name, _LONGEST_NAME): clean(value, _LONGEST_VALUE)
        for name, value in headers.items()
        if isinstance(value, str) and name.lower().startswith(_ATTRIBUTES)
    }
    told = json.dumps(attributes, sort_keys=True).encode()
    return hashlib.sha256(body + b"\x00" + told).hexdigest()


def in_hand() -> str:
    """The digest of the message whose handler runs in this thread."""
    return str(_hand.digest)


def connect() -> None:
    """Watch, in this process, from now on."""
    from eventbridge import telemetry

    telemetry.began.connect(_on_began)
    telemetry.duplicate.connect(_on_duplicate)
    telemetry.died.connect(_on_died)


def _on_began(sender: Any, message: Any, **kwargs: Any) -> None:
    _hand.digest = digest(message.body, message.headers)


def _on_duplicate(sender: Any, consumer: Any, event: Any, **kwargs: Any) -> None:
    _note("duplicates", [consumer.name, event.source, event.id])


def _on_died(sender: Any, consumer: Any, letter: Any, **kwargs: Any) -> None:
    _note("deaths", [consumer.name, digest(bytes(letter.body), letter.headers)])


def _note(name: str, what: list[str]) -> None:
    """A line is one write: a process that dies leaves no half of one."""
    descriptor = os.open(_path(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, f"{json.dumps(what)}\n".encode())
    finally:
        os.close(descriptor)


def notes(name: str) -> list[list[str]]:
    """All that was noted under that name."""
    path = _path(name)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _path(name: str) -> Path:
    return Path(os.environ["FUZZ_FOLDER"]) / f"{name}.notes"
