"""What can be paused on the web, and resumed: a relay or a consumer, in every database that knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.admin.models import ADDITION, DELETION
from django.db import transaction

from eventbridge.admin.deeds import Deed
from eventbridge.audit import audit
from eventbridge.models import Hold
from eventbridge.status import Report


@dataclass(frozen=True, slots=True)
class Part:
    """A relay (its name is its database) or a consumer. ``held``: who paused it, and why; empty if nobody did."""

    role: str
    name: str
    databases: tuple[str, ...]
    held: str

    def __str__(self) -> str:
        return f"relay of database {self.name}" if self.role == "relay" else f"consumer {self.name}"

    @property
    def query(self) -> str:
        return urlencode({"role": self.role, "name": self.name})


@dataclass(frozen=True, slots=True)
class Order:
    """What a deed's verb is given: the part, in one of its databases; why, and by whom."""

    part: Part
    database: str
    reason: str
    who: str


Parts = dict[tuple[str, str], Part]
"""By role and name."""


def parts_of(report: Report) -> Parts:
    """The relay of every outbox, and every consumer of which a database knows that can be asked."""
    asked = [outbox.database for outbox in report.outboxes]
    holds = {(alias, hold.role, hold.name): str(hold) for alias in asked for hold in Hold.objects.using(alias).all()}
    places: dict[tuple[str, str], dict[str, None]] = {("relay", alias): {alias: None} for alias in asked}
    for alias, name in [*_consumers(report), *((alias, name) for alias, role, name in holds if role == "consumer")]:
        if alias in asked:
            places.setdefault(("consumer", name), {})[alias] = None
    return {key: Part(*key, tuple(aliases), _held(holds, key, aliases)) for key, aliases in places.items()}


def _consumers(report: Report) -> Iterator[tuple[str, str]]:
    """Those that CONSUMERS names, and those that were seen in the last day."""
    yield from ((expected.database, expected.name) for expected in report.expected)
    yield from ((process.database, process.name) for process in report.processes if process.role == "consumer")


def _held(holds: dict[tuple[str, str, str], str], key: tuple[str, str], aliases: dict[str, None]) -> str:
    return next((holds[alias, *key] for alias in aliases if (alias, *key) in holds), "")


def carry_out(deed: Deed, part: Part, reason: str, who: str) -> int:
    """Do it in each of its databases, and write it down there; in how many it changed anything."""
    changed = 0
    for alias in part.databases:
        with transaction.atomic(using=alias):
            if deed.verb(Order(part, alias, reason, who)):
                about = ": ".join(filter(None, (f"{part.role} {part.name}", reason)))
                audit(deed.command, 1, about=about, who=who, using=alias)
                changed += 1
    return changed


def _put(order: Order) -> int:
    Hold.objects.using(order.database).put(order.part.role, order.part.name, order.reason, order.who)
    return 1


def _lift(order: Order) -> int:
    return int(Hold.objects.using(order.database).lift(order.part.role, order.part.name))


PAUSE = Deed(
    command="pause",
    verb=_put,
    done="is paused. Its processes stop taking events within some five seconds",
    question="All its processes finish what they have begun, and take nothing new until it is resumed, also if they "
    "are started again. Events wait where they are.",
    flag=ADDITION,
)
RESUME = Deed(
    command="resume",
    verb=_lift,
    done="goes on, within some five seconds",
    question="Its processes take up what has been waiting. A long queue is a rush for whatever the handlers call.",
    flag=DELETION,
)
