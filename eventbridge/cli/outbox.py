"""outbox: the events that are not yet with the broker, and those that it did not take."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from eventbridge.cli.arguments import PROGRAM, Commands, add_database, add_json, command, group, number, option_of
from eventbridge.cli.console import Console
from eventbridge.cli.preflight import need_database
from eventbridge.cli.selection import add_selection, change, select
from eventbridge.cli.times import age_at, with_zone
from eventbridge.models import Heartbeat, OutboxEntry
from eventbridge.models.outbox import OutboxQuerySet

_NOUN = "parked event"
_HELP = """\
When the reason is mended, such as by starting the consumer that wants them, or by
{program} topology --apply, give them back to the relay:
    {program} outbox retry --all{option}"""
_TOLD = ("id", "event_id", "type", "mandatory", "created_at", "parked_at", "parked_reason")


def add_to(commands: Commands[Any]) -> None:
    parser = command(
        commands,
        "outbox",
        None,
        "list events that wait for the broker; retry or discard those that it did not take",
        about="""
            An event is parked when the broker refuses it, or when no queue is bound for it. It is
            out of the others' way then, and stays until it is retried or discarded.
        """,
        examples=("outbox list --parked", "outbox retry --all", "outbox discard 12"),
    )
    verbs = group(parser)
    _add_list(verbs)
    _add_retry(verbs)
    _add_discard(verbs)


def _add_list(verbs: Commands[Any]) -> None:
    examples = ("outbox list", "outbox list --parked --database archive")
    parser = command(verbs, "list", list_entries, "list what is in the outbox, in its order", examples=examples)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--parked", action="store_true", help="only what was set aside")
    which.add_argument("--pending", action="store_true", help="only what the relay has yet to publish")
    parser.add_argument("--type", metavar="TYPE", help="only this event type")
    parser.add_argument("--limit", type=number, default=50, metavar="N", help="show at most so many (default: 50)")
    add_json(parser)
    add_database(parser)


def _add_retry(verbs: Commands[Any]) -> None:
    parser = command(
        verbs,
        "retry",
        retry,
        "give parked events back to the relay",
        examples=("outbox retry 12", "outbox retry --type bookstore.book.published.v1", "outbox retry --all"),
        exits={0: "done", 1: "no such parked event, or not agreed to"},
    )
    _add_choice(parser)


def _add_discard(verbs: Commands[Any]) -> None:
    parser = command(
        verbs,
        "discard",
        discard,
        "delete parked events, for good: nobody will ever receive them",
        examples=("outbox discard 12", "outbox discard --type bookstore.book.saved.v1 --dry-run"),
        exits={0: "done", 1: "no such parked event, or not agreed to"},
    )
    _add_choice(parser)


def _add_choice(parser: ArgumentParser) -> None:
    add_selection(parser, _NOUN)
    parser.add_argument("--type", metavar="TYPE", help="of this event type")
    add_json(parser)
    add_database(parser)


def _wanted(options: Namespace) -> Q:
    return Q(type=options.type) if options.type else Q()


def _outbox(options: Namespace) -> OutboxQuerySet:
    need_database(options.database)
    return OutboxEntry.objects.using(options.database)


def list_entries(console: Console, options: Namespace) -> None:
    entries = _outbox(options).filter(_wanted(options))
    if options.parked or options.pending:
        entries = entries.filter(parked_at__isnull=options.pending)
    shown = list(entries.annotate(now=Now()).values(*_TOLD, "now")[: options.limit])
    if options.json:
        return console.json([{name: with_zone(entry[name], options.database) for name in _TOLD} for entry in shown])
    if not shown:
        return console.say(_none(options))
    console.table(("ID", "AGE", "TYPE", "STATE"), map(_row, shown), right=("ID",))
    if len(shown) == options.limit and (more := entries.count() - len(shown)) > 0:
        console.say(f"… and {more:,} more: --limit.")
    if any(entry["parked_at"] for entry in shown):
        console.say(_HELP.format(program=PROGRAM, option=option_of(options.database)))
    return None


def _none(options: Namespace) -> str:
    """What to say where nothing is found: that there is nothing, or that it is none of these."""
    if options.type and OutboxEntry.objects.using(options.database).exists():
        return f"No event of type {options.type} matches; without --type there may be others."
    if options.pending:
        return "No event is pending."
    return "No event is parked." if options.parked else "The outbox is empty."


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    state = f"parked: {entry['parked_reason']}" if entry["parked_at"] else "pending"
    return entry["id"], age_at(entry["now"], entry["created_at"]), entry["type"], state


def retry(console: Console, options: Namespace) -> None:
    outbox = _outbox(options)
    ids = select(outbox.parked(), _wanted(options), options, _NOUN)
    doing = "outbox retry", "giving back", "given back to the relay"
    changed = _change(console, options, ids, lambda chunk: outbox.filter(pk__in=chunk).retry(), doing)
    relays = Heartbeat.objects.using(options.database).alive().filter(role="relay", name=options.database)
    if changed and not relays.exists():
        console.warn(f"No relay of database {options.database} is running: they are published when one is started.")


def discard(console: Console, options: Namespace) -> None:
    outbox = _outbox(options)
    ids = select(outbox.parked(), _wanted(options), options, _NOUN)
    doing = "outbox discard", "discarding", "discarded"
    _change(console, options, ids, lambda chunk: outbox.filter(pk__in=chunk).discard(), doing)


def _change(
    console: Console,
    options: Namespace,
    ids: Sequence[int],
    verb: Callable[[Sequence[int]], int],
    doing: tuple[str, str, str],
) -> int:
    """As ``change``, or with --json: tell it as a document. Return how many were changed."""
    told = console.for_programs() if options.json else console
    changed = change(told, options, ids, verb, doing, _NOUN)
    if options.json:
        console.json({"chosen": ids, "changed": 0 if options.dry_run else changed, "dry_run": options.dry_run})
    return changed
