"""Selection: the rows that a command is to change, by their ids or by what they have in common."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction
from django.db.models import Q, QuerySet

from eventbridge.audit import audit, these
from eventbridge.cli.arguments import number
from eventbridge.cli.console import Console
from eventbridge.wording import count

_CHUNK = 500


def add_selection(parser: ArgumentParser, noun: str) -> None:
    """IDs, or --all, and how to go about it. Filters are the caller's."""
    parser.add_argument("ids", nargs="*", type=number, metavar="ID", help=f"these {noun}s")
    parser.add_argument("--all", action="store_true", help="all there are (that the other options leave)")
    parser.add_argument("--limit", type=number, metavar="N", help="at most so many, the oldest first")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def select(rows: QuerySet[Any], wanted: Q, options: Namespace, noun: str) -> list[int]:
    """The ids of the rows that the options name, oldest first.

    Raises CommandError where the options name none, or an id that is not among ``rows``.
    """
    if options.ids and (wanted or options.all):
        raise CommandError("Give IDs, or say what to choose by; not both.")
    if not (options.ids or wanted or options.all):
        raise CommandError(f"Say which {noun}s: their IDs, --all, or one of the other options (see --help).")
    if options.ids:
        wanted = Q(pk__in=options.ids)
    found = list(rows.filter(wanted).order_by("pk").values_list("pk", flat=True))
    if absent := sorted(set(options.ids) - set(found)):
        names = ", ".join(map(str, absent))
        raise CommandError(f"There is no {noun} {names} in database {options.database!r}. Nothing was done.")
    return found[: options.limit]


def change(
    console: Console,
    options: Namespace,
    ids: Sequence[int],
    verb: Callable[[Sequence[int]], int],
    doing: tuple[str, str, str],
    noun: str,
    rate: int | None = None,
) -> int:
    """Ask if need be, apply ``verb`` chunk by chunk, write it down, say how many it changed; return that.

    ``doing`` is the command, then the verb as a participle and as what was done: dead replay, marking, …
    At most ``rate`` rows are changed in any second.
    """
    command, participle, done = doing
    if not _agreed(console, options, ids, command, noun):
        return 0
    with console.progress(participle, len(ids)) as progress:
        changed = 0
        for chunk in _paced(ids, rate):
            changed += _apply(verb, chunk, command, options.database)
            progress(len(chunk))
    console.say(f"{count(changed, noun)} {done}.", "success" if changed else "")
    return changed


def _agreed(console: Console, options: Namespace, ids: Sequence[int], command: str, noun: str) -> bool:
    """Whether there is anything to do, and it is to be done. Raises CommandError where the answer is no."""
    order, what = command.rpartition(" ")[2], count(len(ids), noun)
    if not ids:
        console.say(f"There is no such {noun}: nothing to {order}.")
        return False
    if options.dry_run:
        console.say(f"Would {order} {what}: {_some(ids)}.")
        return False
    if len(ids) > 1 and not options.yes and not console.agrees(f"{order.capitalize()} {what}?"):
        raise CommandError("Nothing was done.")
    return True


def _apply(verb: Callable[[Sequence[int]], int], chunk: Sequence[int], command: str, database: str) -> int:
    """With its own entry: what is interrupted has been written down as far as it was done."""
    with transaction.atomic(using=database):
        changed = verb(chunk)
        audit(command, changed, about=these(chunk), using=database)
    return changed


def chunks(ids: Sequence[int], size: int = _CHUNK) -> Iterator[Sequence[int]]:
    """So many that one statement takes them, and that nothing else waits long for it."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _paced(ids: Sequence[int], rate: int | None) -> Iterator[Sequence[int]]:
    """Chunks, each but the first after the time that the rate asks for the one before."""
    before = 0
    for chunk in chunks(ids, min(rate or _CHUNK, _CHUNK)):
        time.sleep(before / rate if rate else 0)
        before = len(chunk)
        yield chunk


def _some(ids: Sequence[int], most: int = 20) -> str:
    more = f", … ({len(ids) - most:,} more)" if len(ids) > most else ""
    return ", ".join(map(str, ids[:most])) + more
