"""prune: forget what the inbox need no longer remember."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from eventbridge.audit import audit
from eventbridge.cli.arguments import Commands, add_database, add_json, command
from eventbridge.cli.console import Console
from eventbridge.cli.preflight import need_database
from eventbridge.conf import settings
from eventbridge.models import InboxEntry, TrailStep
from eventbridge.wording import count

_MOST_DAYS = 36_500
_CHUNK = 5_000
_DAY = 86_400


def add_to(commands: Commands[Any]) -> None:
    parser = command(
        commands,
        "prune",
        prune,
        "forget events that were handled long ago",
        about="""
            The inbox remembers what each consumer has handled, so that nothing is handled twice:
            for longer than any redelivery or replay may take. `consume` prunes by itself, once an
            hour; this is for the first time on a large table, or for another age.

            Without --older it also forgets steps of the event trail that are older than
            TRAIL_RETENTION: where the trail has been turned off, nobody else does.
        """,
        examples=("prune", "prune --older 90"),
    )
    parser.add_argument("--older", type=float, metavar="DAYS", help="than so many (default: INBOX_RETENTION, 30)")
    add_json(parser)
    add_database(parser)


def prune(console: Console, options: Namespace) -> None:
    days = settings.INBOX_RETENTION / _DAY if options.older is None else options.older
    if not 0 <= days <= _MOST_DAYS:
        raise CommandError(f"--older is a number of days, from 0 to {_MOST_DAYS:,}.")
    older = timedelta(days=days)
    need_database(options.database)
    inbox, trail = InboxEntry.objects.using(options.database), TrailStep.objects.using(options.database)
    events = _forget(console, options.database, f"inbox, older than {days:g} days", lambda: inbox.prune(older))
    retention, steps = settings.TRAIL_RETENTION, 0
    if options.older is None:
        about = f"event trail, older than {retention / _DAY:g} days"
        steps = _forget(console, options.database, about, lambda: trail.prune(retention, _CHUNK))
    if options.json:
        return console.json({"events": events, "trail_steps": steps})
    console.say(f"Forgot {count(events, 'event')} handled more than {days:g} days ago.")
    return console.say(f"Forgot {count(steps, 'step')} of the event trail.") if steps else None


def _forget(console: Console, database: str, about: str, prune_some: Callable[[], int]) -> int:
    """Chunk by chunk, until there are no more; write down how many. What is interrupted is written down, too."""
    total = 0
    try:
        with console.progress("forgotten") as progress:
            while chunk := prune_some():
                total += chunk
                progress(chunk)
    finally:
        if total:
            audit("prune", total, about=about, using=database)
    return total
