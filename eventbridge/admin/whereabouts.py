"""Where an event lies now: in an outbox, and as dead letters, in whichever database that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from eventbridge.admin.databases import AWAY
from eventbridge.models import DeadLetter, OutboxEntry
from eventbridge.status import databases
from eventbridge.wording import pretty

_MOST = 50  # dead letters of one event, in one database


@dataclass(slots=True)
class Whereabouts:
    """``silent`` are the databases that could not be asked."""

    entry: OutboxEntry | None = None
    letters: list[DeadLetter] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    @property
    def payload(self) -> str:
        if self.entry:
            return pretty(self.entry.body.encode())
        return pretty(self.letters[0].shown_body) if self.letters else ""


def whereabouts(event_id: str, *, in_outbox: bool, dead: bool) -> Whereabouts:
    """Look for it in the outboxes, and among the dead letters, as far as is wanted. No error where one is away."""
    found = Whereabouts()
    for alias in databases() if in_outbox or dead else ():
        try:
            if in_outbox:
                found.entry = found.entry or OutboxEntry.objects.using(alias).seek(event_id)
            if dead:
                found.letters += _letters(alias, event_id)
        except AWAY:
            found.silent.append(alias)
    return found


def _letters(alias: str, event_id: str) -> Iterator[DeadLetter]:
    yield from DeadLetter.objects.using(alias).seen().filter(event_id=event_id).order_by("consumer")[:_MOST]
