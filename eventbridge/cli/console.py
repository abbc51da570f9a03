"""Console: what a person, or a program, is told. Everything said is made safe for a terminal."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Protocol

from eventbridge.wording import one_line, plain


class Stream(Protocol):
    """What Django's OutputWrapper offers."""

    def write(
        self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None
    ) -> Any: ...
    def flush(self) -> Any: ...
    def isatty(self) -> bool: ...


_GAP = "  "
_NARROWEST = 8
_CLEAR = "\r\x1b[K"
_CLEAR_SCREEN = "\x1b[H\x1b[2J"


class Console:
    """Writes to ``out`` (results) and ``err`` (progress, questions). Colours and widths are a terminal's alone."""

    def __init__(self, out: Stream, err: Stream, style: Any, *, colour: bool = False) -> None:
        """``style`` is Django's. Colours are used on a terminal, unless NO_COLOR is set; ``colour`` insists."""
        self._out = out
        self._err = err
        self._style = style if colour or (out.isatty() and not os.environ.get("NO_COLOR")) else None
        self.width = shutil.get_terminal_size().columns if out.isatty() else None

    # --- for people --------------------------------------------------------------------------

    def say(self, text: str = "", style: str = "") -> None:
        """Write lines. ``style``: error, warning, success or bold."""
        text = plain(text, keep="\n")
        self._out.write(self._painted(self._encodable(text), style) + "\n", style_func=str, ending="")

    def clear(self) -> None:
        """Empty the screen, if there is one, for what is said next."""
        if self.width:
            self._out.write(_CLEAR_SCREEN, style_func=str, ending="")

    def warn(self, text: str) -> None:
        """A remark beside the result."""
        self._err.write(plain(text, keep="\n"), style_func=str)

    def table(
        self,
        header: Sequence[str],
        rows: Iterable[Sequence[object]],
        right: Iterable[str] = (),
        below: Sequence[object] = (),
        commands: Sequence[str] = (),
    ) -> None:
        """Columns under their names; those named in ``right`` are aligned to the right.

        On a terminal the widest columns are cut to its width; elsewhere nothing is. A column in
        which there is nothing is left out. ``below`` has a remark for each row, on a line of its own;
        ``commands`` what to type, which is never cut.
        """
        cells = [[one_line(cell) for cell in row] for row in rows]
        shown = [i for i, column in enumerate(zip(*cells, strict=True)) if any(column)]
        lines = [[row[i] for i in shown] for row in ([*header], *cells)]
        widths = self._widths(lines)
        to_the_right = [header[i] in set(right) for i in shown]
        for number, row in enumerate(lines):
            line = _GAP.join(map(_fitted, row, widths, to_the_right))
            self.say(line.rstrip(), "" if number else "bold")
            if number and below:
                self._remark(one_line(below[number - 1]), widths[0] + len(_GAP))
            if number and commands and commands[number - 1]:
                self.say(" " * (widths[0] + len(_GAP)) + one_line(commands[number - 1]))

    def _remark(self, text: str, indent: int) -> None:
        room = self.width - indent if self.width else _columns(text)
        self.say(" " * indent + _fitted(text, max(room, _NARROWEST), False).rstrip())

    def _widths(self, rows: Sequence[Sequence[str]]) -> list[int]:
        widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
        over = sum(widths) + len(_GAP) * (len(widths) - 1) - self.width if self.width else 0
        while over > 0 and max(widths) > _NARROWEST:
            widths[widths.index(max(widths))] -= 1
            over -= 1
        return widths

    def _painted(self, text: str, style: str) -> str:
        if not self._style or not style or not text:
            return text
        names = {"error": "ERROR", "warning": "WARNING", "success": "SUCCESS", "bold": "MIGRATE_HEADING"}
        return str(getattr(self._style, names[style])(text))

    def _encodable(self, text: str) -> str:
        """A terminal that is not UTF-8 gets the rest spelled out, not an error."""
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)

    # --- for programs ------------------------------------------------------------------------

    def for_programs(self) -> Console:
        """One that leaves out what is said: the result will be JSON. It still asks, warns and shows progress."""
        return Console(_Nowhere(), self._err, self._style)

    def json(self, value: Any) -> None:
        """Write one JSON document, in ASCII."""
        self._out.write(json.dumps(value, indent=2, default=_jsonable), style_func=str)

    # --- with people -------------------------------------------------------------------------

    def agrees(self, question: str) -> bool:
        """Ask. Where nobody sits at the terminal there is nobody to ask, and the command was meant."""
        if not (sys.stdin.isatty() and self._err.isatty()):
            return True
        self._err.write(f"{plain(question)} [y/N] ", style_func=str, ending="")
        self._err.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def progress(self, doing: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Gives a function to call with how many more are done; on a terminal the sum is shown."""
        meter = _Meter(self._err, doing, total)
        try:
            yield meter.add
        finally:
            meter.clear()


class _Nowhere:
    """A stream of which nothing is seen."""

    def write(
        self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None
    ) -> None: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool:
        return False


class _Meter:
    """One line that is written over, ten times a second at most."""

    def __init__(self, err: Stream, doing: str, total: int | None) -> None:
        self._err = err if err.isatty() else None
        self._doing = doing
        self._of = f" of {total:,}" if total is not None else ""
        self._done = 0
        self._shown = 0.0

    def add(self, number: int) -> None:
        self._done += number
        if self._err and time.monotonic() - self._shown > 0.1:  # noqa: PLR2004 - seconds
            self._shown = time.monotonic()
            self._err.write(f"{_CLEAR}{self._doing}: {self._done:,}{self._of}", style_func=str, ending="")
            self._err.flush()

    def clear(self) -> None:
        if self._err and self._shown:
            self._err.write(_CLEAR, style_func=str, ending="")
            self._err.flush()


def _columns(text: str) -> int:
    """How wide a terminal shows it: East Asian characters take two columns, combining ones none."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _fitted(text: str, width: int, right: bool) -> str:
    if _columns(text) > width:
        while _columns(text) > width - 1:
            text = text[:-1]
        text += "…"
    space = " " * (width - _columns(text))
    return space + text if right else text + space


def _jsonable(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
