"""The values that JSON would bend in silence: naive datetimes, NaN, floats for Decimals, bytes for text."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

Hook = Callable[[Any], Any]
"""Makes a value that JSON does not know one that it knows. Raises ``TypeError`` if it cannot."""


def plain(value: Any) -> Any:
    """A subclass (SafeString, a frozen clock's datetime, an id that is an int) as what it stands for."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, date):
        return value.isoformat()
    for kind in (int, float, Decimal):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"a {type(value).__name__} cannot be sent as JSON")


def as_text(value: Any) -> str:
    """A key's value as text: an enum's value, and nothing Python-specific."""
    return str(msgspec.to_builtins(value, enc_hook=lambda other: str.__str__(str(other))))


def explain(error: Exception, data: Any, hook: Hook) -> str:
    """The error, with the field's name: msgspec leaves it out where a value cannot be encoded."""
    if "- at `" in str(error):
        return str(error).replace("`$.", "`")
    names = (field.name for field in dataclasses.fields(data))
    culprit = next((name for name in names if not _encodes(getattr(data, name), hook)), None)
    return f"{error} - at `{culprit}`" if culprit else str(error)


def _encodes(value: Any, hook: Hook) -> bool:
    try:
        msgspec.json.encode(value, enc_hook=hook)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False
    return True


_MINUTE = timedelta(minutes=1)
_BYTES = (bytes, bytearray, memoryview)
_ANY_ITEMS = (list, tuple, dict)  # without saying of what
_UNBENT = {int, str, bool, type(None), list, tuple, dict, types.UnionType, typing.Union}


def are_unbent(payload: type[Any]) -> bool:
    """Whether all its values are of kinds that JSON cannot bend, if what a reader gets equals what was sent."""
    try:
        hints = typing.get_type_hints(payload).values()
    except (NameError, TypeError):
        return False
    return all(_is_unbent(hint) for hint in hints)


def _is_unbent(hint: Any) -> bool:
    inner = [part for part in typing.get_args(hint) if part is not ...]
    return (typing.get_origin(hint) or hint) in _UNBENT and all(map(_is_unbent, inner)) and hint not in _ANY_ITEMS


def check_values(sent: Any, received: Any, hook: Hook) -> None:
    """Compare what was given with what a reader will get. Raises ``ValueError``, naming the field."""
    keep = (datetime, Decimal, *_BYTES)
    before = msgspec.to_builtins(sent, builtin_types=keep, enc_hook=hook)
    _compare(before, msgspec.to_builtins(received, builtin_types=keep), "")


def _compare(sent: Any, received: Any, path: str) -> None:
    if isinstance(sent, dict) and isinstance(received, Mapping):
        for key, value in sent.items():
            place = f"{path}.{key}" if path else str(key)
            _compare(key, key if isinstance(key, datetime) else str(key), place)
            _compare(value, received.get(key, received.get(str(key), value)), place)
    elif isinstance(sent, (list, tuple)) and isinstance(received, (list, tuple)):
        for index, (one, other) in enumerate(zip(sent, received, strict=False)):
            _compare(one, other, f"{path}[{index}]")
    elif problem := _problem(sent, received):
        raise ValueError(f"{problem} - at `{path}`")


def _problem(sent: Any, received: Any) -> str:
    return _loss(sent, received) or _unfit(sent) or _unfit(received)


def _loss(sent: Any, received: Any) -> str:
    if isinstance(sent, float) and isinstance(received, Decimal):
        return "a float would lose digits in a Decimal"
    if isinstance(sent, int) and isinstance(received, float) and sent != received:
        return "an int of so many digits has no place in a float"
    if isinstance(sent, _BYTES) and isinstance(received, str):
        return "bytes are no text"
    return ""


def _unfit(value: Any) -> str:
    if isinstance(value, datetime):
        offset = value.utcoffset()
        if offset is None:
            return "a datetime must know its time zone"
        if offset % _MINUTE:
            return "a time zone that is off by seconds has no place in RFC 3339"
    elif isinstance(value, (float, Decimal)) and not _is_finite(value):
        return f"{value} is not a number that JSON has"
    return ""


def _is_finite(value: float | Decimal) -> bool:
    return value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)
