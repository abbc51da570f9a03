"""What each event did: its way, what waits, what was given up, and which daemons are there."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from demo_project.trail.models import Step
from eventbridge.models import DeadLetter, Heartbeat, OutboxEntry
from eventbridge.wording import one_line

NEWEST = 50


class Told:
    """What people are told: nothing in it turns the direction of a page, or steers a terminal that shows the JSON."""

    def __post_init__(self) -> None:
        for name, value in [*vars(self).items()]:
            if isinstance(value, str):
                object.__setattr__(self, name, one_line(value))


@dataclass(frozen=True, kw_only=True)
class Stop(Told):
    """One step on an event's way. `after` is the time since its recording, for people."""

    what: str
    who: str
    note: str
    at: datetime
    after: str


@dataclass(frozen=True, kw_only=True)
class Way(Told):
    """An event's way, from its recording to what was made of it."""

    id: str
    type: str
    subject: str
    recorded: datetime
    stops: list[Stop]


@dataclass(frozen=True, kw_only=True)
class Waiting(Told):
    """An event in the outbox. With a reason, it was set aside: the broker would not take it."""

    id: str
    type: str
    recorded: datetime
    parked_reason: str


@dataclass(frozen=True, kw_only=True)
class Dead(Told):
    """An event that a consumer gave up. `number` is what the replay command wants."""

    number: int
    id: str
    consumer: str
    type: str
    exception: str
    error: str
    attempts: int
    died: datetime
    replaying: bool


@dataclass(frozen=True, kw_only=True)
class Daemon(Told):
    """A relay or a consumer that said lately that it is there."""

    role: str
    name: str
    state: str


def ways() -> list[Way]:
    """The ways of the newest events, the newest first."""
    return [_way(steps) for steps in Step.objects.ways(NEWEST).values()]


def _way(steps: list[Step]) -> Way:
    first = steps[0]
    stops = [
        Stop(what=step.what, who=step.who, note=step.note, at=step.at, after=duration(step.at - first.at))
        for step in steps[1:]
    ]
    return Way(id=first.event_id, type=first.type, subject=first.subject, recorded=first.at, stops=stops)


def waiting() -> list[Waiting]:
    """What the relay has not handed to the broker, the oldest first."""
    return [
        Waiting(id=entry.event_id, type=entry.type, recorded=entry.created_at, parked_reason=entry.parked_reason)
        for entry in OutboxEntry.objects.order_by("pk")[:NEWEST]
    ]


def dead() -> list[Dead]:
    """What was given up, the latest first."""
    return [
        Dead(
            number=letter.pk,
            id=letter.event_id,
            consumer=letter.consumer,
            type=letter.type,
            exception=letter.exception,
            error=letter.error,
            attempts=letter.attempts,
            died=letter.died_at,
            replaying=letter.replay_at is not None,
        )
        for letter in DeadLetter.objects.order_by("-died_at", "-pk")[:NEWEST]
    ]


def daemons() -> list[Daemon]:
    """Who is there."""
    beats = Heartbeat.objects.alive().order_by("-role", "name")
    return [Daemon(role=beat.role, name=beat.name, state=beat.state) for beat in beats]


def duration(passed: timedelta) -> str:
    """A span as people say it: 85 ms, 1.2 s, 3 min."""
    seconds = max(passed.total_seconds(), 0)
    if passed < timedelta(seconds=1):
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if passed < timedelta(minutes=2) else f"{seconds / 60:.0f} min"
