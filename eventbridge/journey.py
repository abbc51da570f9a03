"""Journey: an event's steps, told as a story: when it was published, and what each consumer made of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventbridge.models import TrailStep

What = TrailStep.What

PUBLISHING = "Publishing"
_TONES = {
    What.RECORDED: "quiet",
    What.RELAYED: "good",
    What.HANDLED: "good",
    What.DUPLICATE: "quiet",
    What.RETRIED: "busy",
    What.REPLAYED: "busy",
    What.PARKED: "bad",
    What.DEAD: "bad",
}
_WORDS = {
    What.RECORDED: "recorded, waiting for the relay",
    What.RELAYED: "relayed",
    What.HANDLED: "handled",
    What.DUPLICATE: "handled before",
    What.RETRIED: "failed, will be retried",
    What.REPLAYED: "being replayed",
    What.PARKED: "parked",
    What.DEAD: "dead",
}
_HAPPENED = {What.RETRIED: "Failed", What.DEAD: "Gave up", What.DUPLICATE: "Skipped: handled before"}


@dataclass(frozen=True, slots=True)
class Stop:
    """One step. ``after``: seconds since the journey began; ``since``: since the lane's stop before it.

    ``place`` is where it lies on a logarithmic scale from 0 to 100, so that milliseconds and hours both show.
    """

    step: TrailStep
    after: float
    since: float | None
    place: float

    @property
    def tone(self) -> str:
        return _TONES[What(self.step.what)]

    @property
    def words(self) -> str:
        """What happened, and in which attempt where that tells something."""
        what = _HAPPENED.get(What(self.step.what), What(self.step.what).label)
        failed = self.step.what in (What.RETRIED, What.DEAD)
        return f"{what}, attempt {self.step.attempt}" if self.step.attempt > 1 or failed else what


@dataclass(frozen=True, slots=True)
class Lane:
    """What one consumer made of it; or, in the first lane, how it was published."""

    name: str
    stops: Sequence[Stop]

    @property
    def tone(self) -> str:
        """good, busy, bad or quiet: how it stands, by its last step that counts."""
        return _TONES[self._verdict]

    @property
    def words(self) -> str:
        return _WORDS[self._verdict]

    @property
    def after(self) -> float:
        """Seconds from the beginning of the journey to where it stands."""
        return self.stops[-1].after

    @property
    def attempts(self) -> int:
        return max(stop.step.attempt for stop in self.stops)

    @property
    def _verdict(self) -> What:
        """A copy that was skipped changes nothing; what is handled stays so."""
        whats = [What(stop.step.what) for stop in self.stops]
        return next((what for what in reversed(whats) if what != What.DUPLICATE), What.DUPLICATE)


@dataclass(frozen=True, slots=True)
class Journey:
    """All of it. The first lane is the publishing one, if anything is known of that."""

    id: str
    type: str
    subject: str
    cause: str
    began: datetime
    lanes: Sequence[Lane]

    @property
    def lasted(self) -> float:
        """Seconds from the first step to the last one."""
        return max(lane.after for lane in self.lanes)

    @property
    def consumers(self) -> Sequence[Lane]:
        return [lane for lane in self.lanes if lane.name != PUBLISHING]

    @property
    def tone(self) -> str:
        """The worst of what the consumers made of it; while none is known, of its publishing."""
        tones = [lane.tone for lane in self.consumers or self.lanes]
        return next((tone for tone in ("bad", "busy", "good") if tone in tones), "quiet")

    @property
    def words(self) -> str:
        """How it stands, in a few words."""
        if not self.consumers:
            return self.lanes[-1].words
        if self.tone in ("bad", "busy"):
            worst = next(lane for lane in self.consumers if lane.tone == self.tone)
            return f"{worst.name}: {worst.words}"
        return "handled"


def journey_of(steps: Sequence[TrailStep]) -> Journey:
    """The journey of which these are the steps, as they happened; at least one."""
    began, last = steps[0].at, max(step.at for step in steps)
    whole = _log((last - began).total_seconds()) or 1.0
    names = dict.fromkeys(step.consumer or PUBLISHING for step in steps)
    lanes = [_lane(name, [s for s in steps if (s.consumer or PUBLISHING) == name], began, whole) for name in names]
    return Journey(
        id=steps[0].event_id,
        type=steps[0].type,
        subject=_first(step.subject for step in steps),
        cause=_first(step.cause for step in steps),
        began=began,
        lanes=sorted(lanes, key=lambda lane: lane.name != PUBLISHING),
    )


def _lane(name: str, steps: Sequence[TrailStep], began: datetime, whole: float) -> Lane:
    stops: list[Stop] = []
    for step in steps:
        after = max((step.at - began).total_seconds(), 0.0)
        since = after - stops[-1].after if stops else None
        stops.append(Stop(step, after, since, round(100 * _log(after) / whole, 2)))
    return Lane(name, stops)


def _log(seconds: float) -> float:
    return math.log1p(max(seconds, 0.0) * 1000)


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")
