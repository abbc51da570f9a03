"""Files that outlive every process: each line is one write, so that a kill loses and mixes none."""

import os
from pathlib import Path


def folder() -> Path:
    """Where the notes of this run are."""
    return Path(os.environ["CHAOS_FOLDER"])


def note(name: str, line: str) -> None:
    """Add a line to the notes of that name. Any thread of any process."""
    descriptor = os.open(folder() / f"{name}.notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def notes(name: str) -> list[str]:
    """The lines of that name."""
    path = folder() / f"{name}.notes"
    return path.read_text().splitlines() if path.exists() else []


def once(what: str) -> bool:
    """Whether nobody has asked this before, in any process of this run."""
    marks = folder() / "once"
    marks.mkdir(exist_ok=True)
    try:
        os.close(os.open(marks / what, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
