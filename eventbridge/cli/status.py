"""status: what is wrong first, with the command that helps; what is fine in a line each."""

from __future__ import annotations

import dataclasses
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import router

from eventbridge.cli.arguments import Commands, add_json, command, number
from eventbridge.cli.console import Console
from eventbridge.diagnosis import STOPPED, Problem, diagnose
from eventbridge.models import OutboxEntry
from eventbridge.status import Outbox, Process, Report, take_report
from eventbridge.wording import age, figures, one_line

Row = tuple[object, ...]

_EVERY = 2
_UNTOLD = ("token", "module", "lost")
_LATE = 15.0
"""Seconds. A daemon says every five that it is there; how long it has been silent is shown from here on."""


def add_to(commands: Commands[Any]) -> None:
    parser = command(
        commands,
        "status",
        run,
        "tell how the outbox, the daemons, the queues and the dead letters are doing",
        about="""
            Asks every database that has an outbox, and nothing else. Of a RabbitMQ queue it says
            what its consumers last saw.
        """,
        examples=("status", "status --watch", "status --json"),
        exits={
            0: "all is well",
            1: "something is parked, dead, paused, late, not migrated, or comes to nothing",
            2: "a daemon does not run, or waits; a database is away; settings are wrong",
            130: "with --watch: ended by Ctrl-C",
        },
    )
    how = parser.add_mutually_exclusive_group()
    add_json(how)
    how.add_argument(
        "--watch",
        nargs="?",
        type=number,
        const=_EVERY,
        metavar="SECONDS",
        help=f"tell it again every so many seconds (default: {_EVERY}), until Ctrl-C",
    )


def run(console: Console, options: Namespace) -> int:
    while options.watch:
        console.clear()
        console.say(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}, every {options.watch} s\n")
        _look(console, options)
        time.sleep(options.watch)
    return _look(console, options)


def _look(console: Console, options: Namespace) -> int:
    report = take_report()
    problems = diagnose(report)
    code = max((problem.severity for problem in problems), default=0)
    if options.json:
        console.json({"exit_code": code, "problems": problems, **dataclasses.asdict(report)})
    else:
        _tell(console, report, problems)
    return code


def _tell(console: Console, report: Report, problems: Sequence[Problem]) -> None:
    if not problems:
        console.say("All is well.", "success")
    for problem in problems:
        console.say(one_line(problem.what), "error" if problem.severity == STOPPED else "warning")
        if problem.command:
            console.say(f"    {one_line(problem.command)}")
    rows = [*_outboxes(report), *_daemons(report), *_queues(report)]
    if rows:
        console.say()
        console.table(("", "NAME", "STATE"), rows)


def _outboxes(report: Report) -> Iterator[Row]:
    main = router.db_for_write(OutboxEntry)
    for outbox in report.outboxes:
        if outbox.pending or outbox.parked or outbox.database == main or report.of("relay", outbox.database):
            yield "outbox", outbox.database, _state_of(outbox)


def _state_of(outbox: Outbox) -> str:
    pending = f"{outbox.pending:,} pending, oldest {age(outbox.oldest or 0)}" if outbox.pending else ""
    parked = f"{outbox.parked:,} parked" if outbox.parked else ""
    return "; ".join(filter(None, (pending, parked))) or "empty"


def _daemons(report: Report) -> Iterator[Row]:
    for process in sorted(report.processes, key=lambda process: (process.role != "relay", process.name)):
        if process.alive or not any(other.alive for other in report.of(process.role, process.name)):
            yield process.role, process.name, _state_of_process(process)


def _state_of_process(process: Process) -> str:
    if not process.alive:
        silent = f"silent for {age(process.seen)}" if process.mute else f"gone {age(process.seen)} ago"
        return f"{silent}: {process.process}"
    told = figures({name: value for name, value in process.figures.items() if name not in _UNTOLD})
    late = f"silent for {age(process.seen)}" if process.seen > _LATE else ""
    who = ", ".join(filter(None, (process.state, late, process.process)))
    return f"{who}: {told}" if told else who


def _queues(report: Report) -> Iterator[Row]:
    for queue in report.queues:
        if queue.depth:
            delayed = f", {queue.delayed:,} retrying" if queue.delayed else ""
            yield "queue", queue.name, f"{queue.ready:,} ready, {queue.held:,} in hand{delayed}"
