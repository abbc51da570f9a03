"""pause and resume: a relay or a consumer stands still, in all its processes, and goes on."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from eventbridge.audit import at_the_terminal, audit
from eventbridge.cli.arguments import PROGRAM, Commands, add_database, command, option_of
from eventbridge.cli.console import Console
from eventbridge.cli.preflight import need_database
from eventbridge.models import Hold
from eventbridge.status import take_report
from eventbridge.wording import one_line

_RELAY = "relay"
Place = tuple[str, str, str]
"""Role, name, and the database that knows of it."""


def add_to(commands: Commands[Any]) -> None:
    pause = command(
        commands,
        "pause",
        run_pause,
        "have a relay or a consumer stand still, in all its processes",
        about="""
            They finish what they have begun, and take nothing new until they are resumed: within
            some five seconds, and also if they are started again. Events wait where they are.
        """,
        examples=('pause bookstore.email --reason "the mail server is down"', "pause relay --database archive"),
        exits={0: "done", 1: "no such consumer"},
    )
    _add_what(pause)
    pause.add_argument("--reason", default="", metavar="TEXT", help="why, for those who will ask")
    resume = command(
        commands,
        "resume",
        run_resume,
        "have what was paused go on",
        examples=("resume bookstore.email", "resume relay"),
        exits={0: "done", 1: "it was not paused, or there is no such consumer"},
    )
    _add_what(resume)


def _add_what(parser: Any) -> None:
    parser.add_argument("what", metavar="WHAT", help="a consumer's name, or relay")
    add_database(parser)


def run_pause(console: Console, options: Namespace) -> None:
    for role, name, database in _places(options):
        need_database(database)
        with transaction.atomic(using=database):
            Hold.objects.using(database).put(role, name, options.reason, at_the_terminal())
            audit("pause", 1, about=": ".join(filter(None, (f"{role} {name}", options.reason))), using=database)
        console.say(f"The {role} {name} is paused; its processes stop taking events within some five seconds.")
        console.say(f"To have it go on: {PROGRAM} resume {options.what}{option_of(options.database)}")


def run_resume(console: Console, options: Namespace) -> int:
    lifted = False
    for role, name, database in _places(options):
        need_database(database)
        with transaction.atomic(using=database):
            if Hold.objects.using(database).lift(role, name):
                audit("resume", 1, about=f"{role} {name}", using=database)
                console.say(f"The {role} {name} goes on, within some five seconds.", "success")
                lifted = True
    if not lifted:
        console.say(f"{one_line(options.what)} was not paused.")
    return 0 if lifted else 1


def _places(options: Namespace) -> list[Place]:
    """Where it is known. Raises CommandError, with those that are known, if it is nowhere."""
    if options.what == _RELAY:
        return [(_RELAY, options.database, options.database)]
    known = dict.fromkeys(_consumers())
    found = [place for place in known if place[1] == options.what]
    if not found:
        names = ", ".join(sorted({one_line(name) for _, name, _ in known})) or "none"
        raise CommandError(f"There is no consumer {one_line(options.what)}. Known are: {names}; and: {_RELAY}.")
    return found


def _consumers() -> Iterator[Place]:
    """Those that CONSUMERS names, that were seen in the last day, or that are paused."""
    report = take_report()
    for expected in report.expected:
        yield "consumer", expected.name, expected.database
    for process in report.processes:
        if process.role == "consumer":
            yield "consumer", process.name, process.database
    for outbox in report.outboxes:
        for hold in Hold.objects.using(outbox.database).filter(role="consumer"):
            yield "consumer", hold.name, outbox.database
