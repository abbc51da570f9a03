"""The values that JSON would bend in silence: naive datetimes, NaN, floats for Decimals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec


def check_values(sent: Any, received: Any, text: Callable[[Any], str]) -> None:
    """Compare what was given with what a reader will get. Raises ``ValueError``, naming the field."""
    keep = (datetime, Decimal)
    before = msgspec.to_builtins(sent, builtin_types=keep, enc_hook=text)
    _compare(before, msgspec.to_builtins(received, builtin_types=keep), "")


def _compare(sent: Any, received: Any, path: str) -> None:
    if isinstance(sent, dict) and isinstance(received, Mapping):
        for key, value in sent.items():
            _compare(value, received.get(key, value), f"{path}.{key}" if path else str(key))
    elif isinstance(sent, (list, tuple)) and isinstance(received, (list, tuple)):
        for index, (one, other) in enumerate(zip(sent, received, strict=False)):
            _compare(one, other, f"{path}[{index}]")
    else:
        _compare_leaf(sent, received, path)


def _compare_leaf(sent: Any, received: Any, path: str) -> None:
    if isinstance(sent, float) and isinstance(received, Decimal):
        raise ValueError(f"a float would lose digits in a Decimal - at `{path}`")
    if isinstance(sent, (float, Decimal)) and not math.isfinite(sent):
        raise ValueError(f"{sent} is not a number that JSON has - at `{path}`")
    if isinstance(received, datetime) and received.tzinfo is None:
        raise ValueError(f"a datetime must know its time zone - at `{path}`")
