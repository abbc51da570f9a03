"""Status: how the outboxes, daemons, queues and dead letters are doing, as the databases tell it.

Nothing else is asked: neither the broker nor the daemons, which write down what only they can see.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections, router
from django.db.models.functions import Now

from eventbridge.checks import check_settings
from eventbridge.conf import settings
from eventbridge.consumer import consumers_in
from eventbridge.models import BrokerMessage, DeadLetter, Heartbeat, OutboxEntry
from eventbridge.models.heartbeat import ALIVE
from eventbridge.models.sql import SUPPORTED


@dataclass(frozen=True, slots=True)
class Outbox:
    """``oldest`` is the age, in seconds, of the oldest pending event; None if there is none."""

    database: str
    pending: int
    parked: int
    oldest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A relay or consumer in one process. ``seen``: seconds since it last said that it is there.

    ``alive``: it said so lately. ``mute``: it did not, but its process is there, on this machine.
    """

    role: str
    name: str
    database: str
    process: str
    state: str
    alive: bool
    mute: bool = False
    seen: float
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of the embedded broker: what is ready, in a consumer's hands, and waits for its next attempt."""

    name: str
    ready: int
    held: int
    delayed: int

    @property
    def depth(self) -> int:
        return self.ready + self.held + self.delayed


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """Of one consumer: how many, and of these how many are marked for replay, or in its hands."""

    consumer: str
    database: str
    count: int
    marked: int
    in_hand: int


@dataclass(frozen=True, slots=True)
class Expected:
    """A consumer that EVENTBRIDGE["CONSUMERS"] names."""

    name: str
    module: str
    database: str


@dataclass(slots=True)
class Report:
    """All of it, at one moment. ``unusable`` modules and ``unreachable`` databases come with the error.

    ``wrong`` is what is wrong with the settings themselves; ``unmigrated`` databases have no tables of ours.
    """

    outboxes: list[Outbox] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    queues: list[Queue] = field(default_factory=list)
    dead_letters: list[DeadLetters] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unmigrated: list[str] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)

    def of(self, role: str, name: str) -> list[Process]:
        """The processes, alive or not, of that relay (its database) or consumer."""
        return [process for process in self.processes if (process.role, process.name) == (role, name)]


def take_report() -> Report:
    """Ask every database that has our tables. One that cannot be reached is told, and no error."""
    report = Report(wrong=_wrong_settings())
    # Settings that are wrong are not to be used; what the databases tell does not depend on them.
    for module in () if report.wrong else settings.CONSUMERS:
        _look_for_consumers(report, module)
    for alias in databases():
        try:
            _ask(report, alias)
        except (OperationalError, InterfaceError) as error:
            connections[alias].close()
            report.unreachable[alias] = str(error)
    return report


def _wrong_settings() -> list[str]:
    """What `manage.py check` says of EVENTBRIDGE, each with its id."""
    errors = [problem for problem in check_settings() if problem.is_serious()]
    return [" ".join(filter(None, (error.msg, error.hint, f"({error.id})"))) for error in errors]


def databases() -> list[str]:
    """Every database that may hold an outbox: not a replica, which its router excludes, nor another's."""
    return [
        alias
        for alias in connections
        if connections[alias].vendor in SUPPORTED and router.allow_migrate_model(alias, OutboxEntry)
    ]


def _look_for_consumers(report: Report, module: str) -> None:
    try:
        report.expected += [Expected(c.name, module, c.database) for c in consumers_in([module])]
    except Exception as error:  # whatever the project's code raises: the rest must still be told
        report.unusable[module] = str(error)


def _ask(report: Report, alias: str) -> None:
    with connections[alias].cursor() as cursor:
        tables = connections[alias].introspection.table_names(cursor)
    if OutboxEntry._meta.db_table not in tables:
        report.unmigrated.append(alias)
        return
    backlog = OutboxEntry.objects.using(alias).backlog()
    report.outboxes.append(Outbox(alias, *backlog))
    report.processes.extend(_processes(alias))
    report.dead_letters.extend(_dead_letters(alias))
    if not report.wrong and _embedded_in(alias):
        report.queues.extend(Queue(*depth) for depth in BrokerMessage.objects.using(alias).depths())


def _embedded_in(alias: str) -> bool:
    url = urlsplit(settings.BROKER_URL)
    return url.scheme == "database" and (url.netloc or DEFAULT_DB_ALIAS) == alias


def _processes(alias: str) -> Iterator[Process]:
    """Those of the last day, by the database's clock."""
    beats = Heartbeat.objects.using(alias).filter(seen_at__gt=Now() - timedelta(days=1))
    for beat in beats.annotate(now=Now()).order_by("role", "name", "process"):
        since = beat.now - beat.seen_at  # type: ignore[attr-defined]  # annotated
        yield Process(
            role=beat.role,
            name=beat.name,
            database=alias,
            process=beat.process,
            state=beat.state,
            alive=since < ALIVE,
            mute=since >= ALIVE and _is_there(beat.process),
            seen=round(since.total_seconds(), 1),
            figures=beat.figures,
        )


def _is_there(process: str) -> bool:
    """Whether that process is one of this machine, and there. Of other machines nothing is known."""
    machine, _, pid = process.rpartition(":")
    if machine != socket.gethostname() or not pid.isdecimal() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        pass  # another user's
    except (OSError, OverflowError):
        return False
    try:
        return b"eventbridge" in Path(f"/proc/{pid}/cmdline").read_bytes()  # or its number has been given to another
    except OSError:
        return True


def _dead_letters(alias: str) -> list[DeadLetters]:
    found = DeadLetter.objects.using(alias).counts()
    return [
        DeadLetters(consumer=name, database=alias, count=of.count, marked=of.marked, in_hand=of.in_hand)
        for name, of in found.items()
    ]
