"""Kinds: the types that settings are declared with, in words, and whether a value is of one."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any

_KINDS: dict[Any, str] = {Sequence: "list", Mapping: "dict"}


def in_words(kind: Any) -> str:
    """A setting's type, in words."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return f"one of {', '.join(map(repr, typing.get_args(kind)))}"
    return f"a {_KINDS.get(origin) or kind.__name__}"


def is_a(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind)
    kind = typing.get_origin(kind) or kind
    if isinstance(value, (bool, str)):
        return kind is type(value)
    return isinstance(value, (int, float)) if kind is float else isinstance(value, kind)
