"""Redaction: what of an event and of its failure may be told, where a consumer names what may not.

What an exception says may quote a value in any form, changed or in part, so nothing of it is kept:
only what it is, and where it was raised. The body stays as it came, for the replay; whoever is
shown it sees it masked.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from eventbridge.event import Event

HIDDEN = "***"
WITHHELD = "(redacted)"
_SUBJECT = ("subject", "partitionkey")
_PREFIXES = ("cloudevents_", "cloudevents:", "ce-")
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Withheld(Exception):
    """An exception of which no more is told than what it is."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(WITHHELD)
        self.kind = kind_of(error)

    def __repr__(self) -> str:
        return f"{self.kind}{WITHHELD}"


def kind_of(error: BaseException) -> str:
    """The exception's class, by its whole name."""
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def told(error: BaseException, names: Collection[str]) -> BaseException:
    """What may be told of an exception to receivers of our signals: itself, if nothing is redacted."""
    return Withheld(error) if names else error


def hidden(names: Sequence[str], event: Event[Any] | None) -> list[str]:
    """What a letter keeps of ``names``: also the subject, where that is the value of one of them, or may be."""
    about = (event.partitionkey or "").partition(":")[0] if event else None
    return [*names, *_SUBJECT] if names and (event is None or about in names) else [*names]


def stack(error: BaseException) -> str:
    """Its traceback without a word that an exception said: places, and lines of code."""
    return "\n".join(map(_link, reversed([*_chain(error)])))


def _link(error: BaseException) -> str:
    places = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{places}{kind_of(error)}{WITHHELD}\n"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def masked(body: bytes, names: Collection[str]) -> bytes:
    """The body with ``***`` for every member of that name, however deep; as it is if there are no names.

    What is no JSON is not shown at all.
    """
    if not names:
        return body
    concealed = {*names, "data_base64"}  # which may hold any of them

    def mask(members: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: HIDDEN if name in concealed else value for name, value in members}

    try:
        return _ENCODER.encode(json.loads(body, object_pairs_hook=mask, parse_float=Decimal, parse_constant=_refuse))
    except (ValueError, RecursionError):
        return b"(redacted: it is no JSON, in which fields could be told apart)"


def masked_headers(headers: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The headers, with ``***`` for every attribute of that name (CloudEvents' binary mode has them there)."""
    return {header: HIDDEN if _attribute(header) in names else value for header, value in headers.items()}


def _attribute(header: str) -> str:
    lower = header.lower()
    return next((lower.removeprefix(prefix) for prefix in _PREFIXES if lower.startswith(prefix)), lower)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
