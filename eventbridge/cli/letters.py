"""Which dead letters: the options that choose them, for whatever is done with them."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from eventbridge.cli.arguments import PROGRAM, option_of
from eventbridge.cli.times import in_the_database, moment
from eventbridge.models import DeadLetter


def add_filters(parser: ArgumentParser) -> None:
    parser.add_argument("--consumer", metavar="NAME", help="of this consumer")
    parser.add_argument("--type", metavar="TYPE", help="of this event type")
    parser.add_argument("--exception", metavar="NAME", help="that died of this one, such as TimeoutError")
    parser.add_argument(
        "--reason", choices=DeadLetter.Reason.values, metavar="REASON", help=f"one of {', '.join(DeadLetter.Reason)}"
    )
    parser.add_argument("--since", type=moment, metavar="TIME", help="that died then or later: 2026-11-23T14:00, or 2h")
    parser.add_argument(
        "--before", type=moment, metavar="TIME", help="that died before: a time, or an age such as 30min"
    )


def chosen(options: Namespace) -> Q:
    """What the options leave; an empty Q if none is given."""
    wanted = Q()
    if options.consumer is not None:
        wanted &= Q(consumer=options.consumer)
    if options.type is not None:
        wanted &= Q(type=options.type)
    if options.reason:
        wanted &= Q(reason=options.reason)
    if options.exception is not None:
        wanted &= Q(exception=options.exception) | Q(exception__endswith=f".{options.exception}")
    if options.since:
        wanted &= Q(died_at__gte=in_the_database(options.since, options.database))
    if options.before:
        wanted &= Q(died_at__lt=in_the_database(options.before, options.database))
    return wanted


def replay_of(group: Mapping[str, Any], options: Namespace) -> str:
    """The command that replays a group: those that the options left of it, and no others."""
    times = {name: getattr(options, name) for name in ("since", "before")}
    named = {name: group[name] for name in ("consumer", "type", "exception", "reason")}
    named |= {name: _as_typed(value) for name, value in times.items() if value}
    words = " ".join(f"--{name} {shlex.quote(value)}" for name, value in named.items())
    return f"{PROGRAM} dead replay {words}{option_of(options.database)}"


def _as_typed(value: datetime | timedelta) -> str:
    return f"{value.total_seconds():.0f}s" if isinstance(value, timedelta) else value.isoformat()
