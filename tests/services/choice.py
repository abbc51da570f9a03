"""Choosing a server: the first way that is open on this machine."""

import os
from collections.abc import Callable, Mapping
from typing import TypeVar

from tests.services.hosts import NotAvailable

S = TypeVar("S")


def choose(ways: Mapping[str, Callable[[], S]], forced_by: str) -> S:
    """Try the ways in order and return the first server had; the environment variable `forced_by` may name one.

    Raises NotAvailable with every way's reason.
    """
    wanted = os.environ.get(forced_by)
    if wanted and wanted not in ways:
        raise NotAvailable(f"{forced_by}={wanted} is none of {', '.join(ways)}")
    reasons = []
    for name, start in ways.items():
        if wanted in (None, "", name):
            try:
                return start()
            except NotAvailable as reason:
                reasons.append(f"{name}: {reason}")
    raise NotAvailable("; ".join(reasons))
