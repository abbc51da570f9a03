"""Pace: how fast something goes on, from looking at how far it is."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

_LOOK = 0.01
_STALLED = 60.0
_WARM = 0.1


class Stalled(RuntimeError):
    """It does not go on."""


def pace(done: Callable[[], int], total: int, alive: Callable[[], bool] = lambda: True) -> float:
    """Units a second from a tenth of ``total`` to the whole: whoever does it is warm by then.

    Raises Stalled where nothing happens for a minute, or whoever does it has died.
    """
    looks = _watch(done, total, alive)
    start = total * _WARM
    (before, had), (after, has) = next(pair for pair in itertools.pairwise(looks) if pair[1][1] >= start)
    since = after if has == had else before + (after - before) * max(start - had, 0) / (has - had)
    return (total - start) / (looks[-1][0] - since)


def _watch(done: Callable[[], int], total: int, alive: Callable[[], bool]) -> list[tuple[float, int]]:
    looks = [(time.monotonic(), 0)]
    moved = looks[0][0]
    while looks[-1][1] < total:
        time.sleep(_LOOK)
        looks.append((time.monotonic(), done()))
        if looks[-1][1] != looks[-2][1]:
            moved = looks[-1][0]
        elif looks[-1][0] - moved > _STALLED or not alive():
            raise Stalled(f"{looks[-1][1]} of {total} after {looks[-1][0] - looks[0][0]:.0f} s")
    return looks
