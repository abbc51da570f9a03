"""Text for people. Nothing that came in a message can steer the terminal, or the page, that shows it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SEVERAL_URLS = re.compile(r";\s*(?=[a-z]+://)")


def plain(text: str, keep: str = "") -> str:
    r"""``text`` with every character that is not printable, nor in ``keep``, spelled out: ``\x1b``.

    That holds for the controls that colour or clear a terminal as for those that turn its direction.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep or unicodedata.category(c) == "Zs" else spelled(c) for c in text)


def spelled(character: str) -> str:
    r"""The character's code, as Python writes it: ``\x1b``, ``\u202e``."""
    code = ord(character)
    if code > 0xFFFF:  # noqa: PLR2004 - the last one that four digits spell
        return f"\\U{code:08x}"
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"  # noqa: PLR2004 - as two digits do


def one_line(value: object) -> str:
    """``value`` as text for a cell of a table."""
    return plain(re.sub(r"[ \t\r\n]+", " ", str(value)).strip())


def pretty(body: bytes) -> str:
    """A body: indented if it is JSON (its numbers and names as they came), otherwise its text."""
    try:
        text = msgspec.json.format(body, indent=2).decode()
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "backslashreplace")
    return plain(text, keep="\n")


def age(seconds: float) -> str:
    """A span of time in one unit: ``5 min``."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def span(seconds: float) -> str:
    """How long it took, as people say it: ``85 ms``, ``1.2 s``, ``5 min``."""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else age(seconds)  # noqa: PLR2004 - a minute


def count(number: int, noun: str, several: str = "") -> str:
    """``1 event``, ``1,204 events``."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def without_password(url: str) -> str:
    """A URL, or several with ``;`` between, with ``***`` for every password."""
    parts = _SEVERAL_URLS.split(url)
    # From the first colon to the last @: names and passwords that were not encoded may hold any character.
    return ";".join(re.sub(r"(://[^:]*:).*@", r"\1***@", part, flags=re.DOTALL) for part in parts)


def figures(values: Mapping[str, Any]) -> str:
    """What a daemon says of itself, by name: ``depth 3, handled 12, running 0``. Nothing nested."""
    told = sorted((name, value) for name, value in values.items() if not isinstance(value, (list, dict)))
    return ", ".join(f"{name} {_figure(value)}" for name, value in told if value not in (None, ""))


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else one_line(value)
