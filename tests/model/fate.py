"""Fate: where a process of the model dies, loses its database, or is overtaken. Nothing of it is in eventbridge."""

import functools
import importlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pytest
from django.db import OperationalError, connections
from hypothesis import note

from eventbridge.errors import Unavailable


class Died(BaseException):
    """The process is gone. No Exception, and nothing that a worker takes for its handler's failure."""


class Place(NamedTuple):
    """Before or after a method. ``link``: it speaks to the broker, not to the database."""

    method: str
    moment: Literal["before", "after"]
    link: bool = False


_OUTBOX = "eventbridge.models.outbox:OutboxQuerySet"
_INBOX = "eventbridge.models.inbox:InboxQuerySet"
_BROKER = "eventbridge.models.broker:MessageQuerySet"
_LETTERS = "eventbridge.models.dead_letter:DeadLetterQuerySet"
_COMMIT = "django.db.backends.base.base:BaseDatabaseWrapper._commit"
_DELIVERY = "eventbridge.transports.rabbitmq.delivery:RabbitDelivery"
_CHANNEL = "eventbridge.transports.rabbitmq.confirms:ConfirmChannel"

PLACES = {
    "recorded": Place(f"{_OUTBOX}.record", "after"),
    "committing": Place(_COMMIT, "before"),
    "committed": Place(_COMMIT, "after"),
    # a relay
    "leading": Place("eventbridge.models.lease:LeaseQuerySet.take", "after"),
    "read": Place(f"{_OUTBOX}.pending", "after"),
    "flushed": Place(f"{_CHANNEL}.flush", "after", link=True),
    "confirming": Place(f"{_CHANNEL}.read", "after", link=True),
    "putting": Place(f"{_BROKER}.put", "before"),
    "put": Place(f"{_BROKER}.put", "after"),
    "deleting": Place(f"{_OUTBOX}.done", "before"),
    "deleted": Place(f"{_OUTBOX}.done", "after"),
    "parking": Place(f"{_OUTBOX}.park", "before"),
    "parked": Place(f"{_OUTBOX}.park", "after"),
    # a consumer takes
    "taken": Place(f"{_BROKER}.take", "after"),
    "settling": Place(f"{_BROKER}.done", "before"),
    "settled": Place(f"{_BROKER}.done", "after"),
    "putting back": Place(f"{_BROKER}.put_back", "before"),
    "put back": Place(f"{_BROKER}.put_back", "after"),
    "replay taken": Place(f"{_LETTERS}.take", "after"),
    # a consumer works
    "marking": Place(f"{_INBOX}.mark", "before"),
    "marked": Place(f"{_INBOX}.mark", "after"),
    "unmarked": Place(f"{_INBOX}.unmark", "after"),
    "claimed": Place(f"{_INBOX}.claim", "after"),
    "handled": Place("eventbridge.worker:Worker._run", "after"),
    "retrying": Place(f"{_DELIVERY}._store", "before", link=True),
    "retried": Place(f"{_DELIVERY}._store", "after", link=True),
    "burying": Place(f"{_LETTERS}.bury", "before"),
    "buried": Place(f"{_LETTERS}.bury", "after"),
    "replay forgetting": Place("eventbridge.replays:Replays.forget", "before"),
    "replay put back": Place(f"{_LETTERS}.later", "after"),
}


@dataclass(frozen=True)
class Blow:
    """What happens to whoever comes to the so-manyth place on the way: death, a lost link, being overtaken."""

    how: Literal["dies", "breaks", "is overtaken"]
    step: int = 1


@dataclass
class Fate:
    """The blow that is due, if one is. It falls once."""

    due: Blow | None = None
    left: int = 0
    fallen: Blow | None = None
    where: str = ""
    """The place where it fell; empty if it did not."""
    ever: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each kind of blow has fallen at each place, in all histories."""
    overtake: Callable[[], None] = field(default=lambda: None)
    meanwhile: Callable[[], None] = field(default=lambda: None)
    suspect: tuple[str, str] | None = None
    """The consumer and the event's id of the suspect that was marked last."""

    def expect(self, blow: Blow | None) -> None:
        self.due, self.left = blow, blow.step if blow else 0
        self.fallen = self.suspect = None
        self.where = ""

    @property
    def has_fallen(self) -> bool:
        return self.fallen is not None

    @property
    def how(self) -> str:
        return self.fallen.how if self.fallen else ""

    @property
    def broke_a_link(self) -> bool:
        """The broker's, and whoever used it lives on."""
        return self.fallen is not None and self.fallen.how == "breaks" and PLACES[self.where].link

    def expect_nothing_more(self) -> None:
        self.due = None

    def passed(self, name: str, arguments: tuple[Any, ...]) -> None:
        """A process is at this place now. Raises what happens to it there."""
        if name == "marking":
            _, consumer, (_, event_id), _ = arguments
            self.suspect = consumer, event_id
        if self.due is None or not name:
            return
        self.meanwhile()
        self.left -= 1
        if self.left == 0:
            self.fallen, self.due, self.where = self.due, None, name
            self.ever[self.fallen.how, name] += 1
            note(f"it {self.fallen.how}: {name}")
            self._strike(self.fallen.how, PLACES[name])

    def _strike(self, how: str, place: Place) -> None:
        if how == "is overtaken":
            self.overtake()
        elif how == "breaks" and place.link:
            raise Unavailable("the link was cut")
        else:
            # What was not committed is gone, as when the server notices that its client is.
            connections["default"].close()
            raise Died if how == "dies" else OperationalError("the connection was cut")


def plant(monkeypatch: pytest.MonkeyPatch, fate: Fate) -> None:
    """Let every place ask this fate, until the test is over."""
    for method in {place.method for place in PLACES.values()}:
        module, _, path = method.partition(":")
        owner, _, name = path.partition(".")
        cls = getattr(importlib.import_module(module), owner)
        names = {place.moment: key for key, place in PLACES.items() if place.method == method}
        monkeypatch.setattr(cls, name, _watched(getattr(cls, name), names, fate))


def _watched(original: Callable[..., Any], names: dict[Any, str], fate: Fate) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        fate.passed(names.get("before", ""), arguments)
        result = original(*arguments, **named)
        fate.passed(names.get("after", ""), arguments)
        return result

    return wrapped
