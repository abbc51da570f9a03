"""Whether a backlog drained as fast as a small one, all of it, and left no bloat behind: pure functions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import harmonic_mean, median

ALLOWED = 0.8
"""A drain may be slower than small backlogs by a fifth."""
GROWN = 1.1
"""A drain only deletes: the table may not grow by it (a tenth for what vacuum itself writes)."""
KEPT = 0.25
"""Autovacuum gives back three quarters of the table and its indexes, once they are empty: the indexes stay."""


@dataclass
class Growth:
    """What was measured: the rate of each window of equal size, in events a second, and bytes of the outbox."""

    windows: dict[str, list[float]] = field(default_factory=dict)
    filled: int = 0
    """With all events in it."""
    peak: int = 0
    """At most, while they drained."""
    settled: int = 0
    """After they had drained, when autovacuum had come by."""


def small(growth: Growth) -> float:
    """The rate of a small backlog: the median, before and after."""
    return median(growth.windows["small"] + growth.windows["small again"])


def ratios(rates: Sequence[float], beside: float) -> dict[str, float]:
    """A drain beside another rate: as a whole, at its end, and where it was slowest."""
    found = {"whole": harmonic_mean(rates), "end": median(rates[-3:]), "worst": min(rates)}
    return {what: rate / beside for what, rate in found.items()}


def problems(growth: Growth) -> list[str]:
    """What is wrong. The slowest window is told and not judged: one checkpoint makes it."""
    return [*_slow(growth), *_bloated(growth)]


def _slow(growth: Growth) -> Iterator[str]:
    for name in ("large", "snapshot"):
        found = ratios(growth.windows[name], small(growth))
        for what in ("whole", "end"):
            if found[what] < ALLOWED:
                yield f"{name}: the {what} drained at {found[what]:.2f} of a small backlog's rate"


def _bloated(growth: Growth) -> Iterator[str]:
    for what, size, most in (("grew to", growth.peak, GROWN), ("kept", growth.settled, KEPT)):
        if not 0 < size <= most * growth.filled:
            yield f"the outbox of {growth.filled:,} bytes {what} {size:,}: more than {most} of that"
