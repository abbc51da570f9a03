"""Whether a figure stays where it is: its first third beside its last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

MIB = 1024 * 1024
ALLOWED = {
    # what: the growth that is none, as a share of the first third's median, and at least
    "memory": (0.04, 3 * MIB),
    "files": (0.0, 2.0),
    "threads": (0.0, 1.0),
    "database": (0.0, 1.0),
    "connections": (0.0, 1.0),
    "channels": (0.0, 1.0),
    "table": (0.5, 8 * MIB),
}
_WARM = 0.1
_HOUR = 3600.0
Point = tuple[float, float]


@dataclass(frozen=True)
class Trend:
    """``first`` and ``last``: the medians of the thirds. ``slope``: by an hour, as least squares see it."""

    first: float
    last: float
    peak: float
    slope: float

    def is_flat(self, what: str) -> bool:
        share, least = ALLOWED[what]
        return self.last - self.first <= max(share * self.first, least)


def trend(points: Sequence[Point]) -> Trend:
    """Of (seconds, figure), in order. What comes before everything is warm does not count."""
    begin = points[0][0] + _WARM * (points[-1][0] - points[0][0])
    warm = [point for point in points if point[0] >= begin]
    third = max(len(warm) // 3, 1)
    figures = [figure for _, figure in warm]
    return Trend(median(figures[:third]), median(figures[-third:]), max(figures), _slope(warm))


def _slope(points: Sequence[Point]) -> float:
    at, of = fmean(when for when, _ in points), fmean(figure for _, figure in points)
    spread = sum((when - at) ** 2 for when, _ in points)
    return sum((when - at) * (figure - of) for when, figure in points) / spread * _HOUR if spread else 0.0
