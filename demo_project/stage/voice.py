"""How the story is told: plain lines, and a few calm colours on a terminal."""

import os
import sys
import textwrap
from typing import Any

WIDTH = 80
_COLOURS = {"quiet": "2", "good": "32", "warn": "33", "bad": "31", "strong": "1"}


def say(text: str = "") -> None:
    """One line."""
    print(text, flush=True)


def scene(title: str) -> None:
    """A new part of the story."""
    say(f"\n{paint('strong', title)}")


def point(text: str) -> None:
    """Something that was seen."""
    say(f"  {paint('good', '✓')} {text}")


def way(found: dict[str, Any]) -> None:
    """One event's way, in as many lines as it needs."""
    stops = [_stop(stop) for stop in found["stops"]]
    name = found["type"].removeprefix("bookstore.").removesuffix(".v1")
    line = " → ".join([f"{name} {found['subject']}: recorded", *stops])
    for part in textwrap.wrap(line, WIDTH, initial_indent="    ", subsequent_indent="      "):
        say(paint("quiet", part))


def _stop(stop: dict[str, Any]) -> str:
    """One step, its words tied together where a line may not break."""
    who = stop["who"].removeprefix("bookstore.")
    words = {
        "relayed": f"relayed {stop['after']}",
        "handled": f"handled by {who} {stop['after']}",
        "retried": f"failed {stop['after']} (next{stop['note'].rpartition('next')[2]})",
        "dead": f"dead {stop['after']}",
    }
    return words.get(stop["what"], str(stop["what"])).replace(" ", "\u00a0")


def paint(colour: str, text: str) -> str:
    """Text in a colour, on a terminal that wants it."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
