"""Deeds: what people do to rows, once it is confirmed; each is in the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Deed:
    """A verb, which says how many it changed, and how it is spoken of. ``command``: what the command line calls it."""

    command: str
    verb: Callable[[Any], int]
    done: str
    question: str
    flag: int

    @property
    def name(self) -> str:
        return self.command.rpartition(" ")[2]
