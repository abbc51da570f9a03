"""The documentation as data: pages, their headings and tables, and the blocks that tests run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_DIRECTIVE = re.compile(r"<!-- test: (?P<words>[^>]+) -->\n$")


@dataclass(frozen=True)
class Block:
    """A fenced block. ``directives`` are what the comment above it asks of the test."""

    language: str
    text: str
    line: int
    directives: tuple[str, ...]


def read(page: str) -> str:
    """The text of a page, by its path from the root of the repository."""
    return (ROOT / page).read_text()


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, from top to bottom."""
    for found in _FENCE.finditer(text):
        above = _DIRECTIVE.search(text[: found.start()])
        directives = tuple(word.strip() for word in above["words"].split(";")) if above else ()
        line = text.count("\n", 0, found.start()) + 1
        yield Block(found["language"], found["text"], line, directives)


def table(text: str, first_column: str) -> list[list[str]]:
    """The rows of the table whose first heading is this one, cell by cell."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("|") and _cells(line)[0] == first_column:
            break
    else:
        raise AssertionError(f"no table begins with a column {first_column!r}")
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(_cells(line))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
