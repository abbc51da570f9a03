"""dead: the events that a consumer could not handle, their stories, and what becomes of them."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.management.base import CommandError

from eventbridge.cli.arguments import Commands, add_database, add_json, command, group, number
from eventbridge.cli.console import Console
from eventbridge.cli.letters import add_filters, chosen, replay_of
from eventbridge.cli.preflight import need_database
from eventbridge.cli.selection import add_selection, change, chunks, select
from eventbridge.cli.story import as_json, tell
from eventbridge.cli.times import age_at, with_zone
from eventbridge.models import DeadLetter, Heartbeat
from eventbridge.models.dead_letter import DeadLetterQuerySet
from eventbridge.wording import count, one_line

_NOUN = "dead letter"


def add_to(commands: Commands[Any]) -> None:
    parser = command(
        commands,
        "dead",
        None,
        "list, show, replay or discard dead letters",
        about="""
            A dead letter is an event that a consumer could not handle: every attempt failed, or
            its handler rejected it. It stays, whole, until it is replayed or discarded.
        """,
        examples=("dead list", "dead show 12", "dead replay 12", "dead replay --consumer bookstore.email"),
    )
    verbs = group(parser)
    _add_list(verbs)
    _add_show(verbs)
    _add_replay(verbs)
    _add_discard(verbs)


def _add_list(verbs: Commands[Any]) -> None:
    parser = command(
        verbs,
        "list",
        list_letters,
        "list dead letters by what they have in common, or one by one",
        about="""
            With each group comes the command that replays it. JSON has them one by one, unless
            --group is given.
        """,
        examples=("dead list", "dead list --each", "dead list --consumer bookstore.email --json"),
    )
    add_filters(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--group", action="store_true", help="count them by consumer, type, exception and reason")
    how.add_argument("--each", action="store_true", help="one by one, the latest first")
    parser.add_argument("--limit", type=number, default=50, metavar="N", help="show at most so many (default: 50)")
    add_json(parser)
    add_database(parser)


def _add_show(verbs: Commands[Any]) -> None:
    parser = command(
        verbs, "show", show_letter, "show one dead letter, with its whole story", examples=("dead show 12",)
    )
    parser.add_argument("id", type=number, metavar="ID")
    add_json(parser)
    add_database(parser)


def _add_replay(verbs: Commands[Any]) -> None:
    parser = command(
        verbs,
        "replay",
        replay,
        "have dead letters handled again",
        about="""
            Marks them; their consumer's own processes take them up as they would a delivery, and
            what is handled is gone from here. Mend the cause first, and begin with a few.
        """,
        examples=(
            "dead replay 12 13",
            "dead replay --consumer bookstore.email --limit 1",
            "dead replay --since 2h --rate 50",
        ),
        exits={0: "marked", 1: "no such dead letter, or not agreed to; with --wait: some died again"},
    )
    add_selection(parser, _NOUN)
    add_filters(parser)
    parser.add_argument("--rate", type=number, metavar="N", help="mark at most so many a second")
    parser.add_argument("--wait", action="store_true", help="wait until each is handled, or dead again, and report")
    add_database(parser)


def _add_discard(verbs: Commands[Any]) -> None:
    parser = command(
        verbs,
        "discard",
        discard,
        "delete dead letters, for good",
        about="""
            Those that are marked for replay, too. Those that a consumer has in its hands are left
            alone.
        """,
        examples=("dead discard 12", "dead discard --type bookstore.book.saved.v1 --dry-run"),
        exits={0: "done", 1: "no such dead letter, or not agreed to"},
    )
    add_selection(parser, _NOUN)
    add_filters(parser)
    add_database(parser)


def _letters(options: Namespace) -> DeadLetterQuerySet:
    need_database(options.database)
    return DeadLetter.objects.using(options.database)


# --- list ----------------------------------------------------------------------------------------


def list_letters(console: Console, options: Namespace) -> None:
    letters = _letters(options).filter(chosen(options))
    if options.group or not (options.each or options.json):
        return _list_groups(console, options, letters)
    shown = list(letters.seen().defer("body", "traceback")[: options.limit])
    if options.json:
        return console.json([as_json(letter, whole=False) for letter in shown])
    if not shown:
        return console.say(_none(options))
    rows = map(_row, shown)
    header = ("ID", "AGE", "CONSUMER", "TYPE", "TRIES")
    console.table(header, rows, right=("ID", "AGE", "TRIES"), below=[*map(_why, shown)])
    if len(shown) == options.limit and (more := letters.count() - len(shown)) > 0:
        console.say(f"… and {more:,} more: --limit, or without --each what they have in common.")
    return None


def _row(letter: DeadLetter) -> tuple[object, ...]:
    age = age_at(letter.now, letter.died_at)  # type: ignore[attr-defined]  # annotated
    return letter.pk, age, letter.consumer, letter.type or "?", letter.attempts


def _list_groups(console: Console, options: Namespace, letters: DeadLetterQuerySet) -> None:
    groups = list(letters.groups()[: options.limit])
    if options.json:
        return console.json([_group_as_json(group, options.database) for group in groups])
    if not groups:
        return console.say(_none(options))
    header = ("COUNT", "MARKED", "IN HAND", "FIRST", "LAST", "CONSUMER", "TYPE")
    reasons = DeadLetter.Reason
    below = [f"{_short(g['exception'])} ({reasons(g['reason']).label})" for g in groups]
    # What is marked already, or in a consumer's hands, needs no command.
    commands = [replay_of(g, options) if g["count"] > g["marked"] + g["in_hand"] else "" for g in groups]
    console.table(header, map(_group_row, groups), right=header[:5], below=below, commands=commands)
    if len(groups) == options.limit:
        console.say("… and perhaps more: --limit.")
    return console.say("First mend the cause. One by one: --each. The story of one: dead show ID.")


def _group_row(group: dict[str, Any]) -> tuple[object, ...]:
    ages = (age_at(group["now"], group[name]) for name in ("first", "last"))
    return group["count"], group["marked"] or "", group["in_hand"] or "", *ages, group["consumer"], group["type"] or "?"


def _group_as_json(group: dict[str, Any], database: str) -> dict[str, Any]:
    return {name: with_zone(value, database) for name, value in group.items() if name != "now"}


def _none(options: Namespace) -> str:
    """What to say where nothing is found: that there is nothing, or that it is none of these."""
    others = DeadLetter.objects.using(options.database).count() if chosen(options) else 0
    if not others:
        return "There are no dead letters."
    return f"No dead letter matches. Without these options there {'is' if others == 1 else 'are'} {others:,}."


def _why(letter: DeadLetter) -> str:
    state = f"{letter.replay_state}; " if letter.replay_state else ""
    return f"{state}{_short(letter.exception)}: {letter.error}"


def _short(exception: str) -> str:
    return exception.rpartition(".")[2]


# --- show ----------------------------------------------------------------------------------------


def show_letter(console: Console, options: Namespace) -> None:
    letter = _letters(options).seen().filter(pk=options.id).first()
    if letter is None:
        raise CommandError(f"There is no dead letter {options.id} in database {options.database!r}.")
    if options.json:
        console.json(as_json(letter, whole=True))
    else:
        tell(console, letter)


# --- replay and discard --------------------------------------------------------------------------


def replay(console: Console, options: Namespace) -> int:
    letters = _letters(options)
    ids = select(letters, chosen(options), options, _NOUN)
    doing = "dead replay", "marking", "marked for replay"
    mark = partial(_mark, letters)
    changed = change(console, options, ids, mark, doing, _NOUN, options.rate)
    if options.dry_run or not ids:
        return 0
    if changed < len(ids):
        console.say(f"{len(ids) - changed:,} of them: marked for replay, or in a consumer's hands, already.")
    _tell_of_absent(console, options.database, letters, ids)
    return _wait(console, letters, ids) if options.wait else 0


def _mark(letters: DeadLetterQuerySet, chunk: Sequence[int]) -> int:
    return letters.filter(pk__in=chunk).replay()


def discard(console: Console, options: Namespace) -> int:
    letters = _letters(options)
    ids = select(letters, chosen(options), options, _NOUN)
    doing = "dead discard", "discarding", "discarded"
    changed = change(console, options, ids, lambda chunk: letters.filter(pk__in=chunk).discard(), doing, _NOUN)
    if ids and not options.dry_run and changed < len(ids):
        console.say(f"{len(ids) - changed:,} of them: in a consumer's hands, and left alone.")
    return 0


def _tell_of_absent(console: Console, database: str, letters: DeadLetterQuerySet, ids: Sequence[int]) -> None:
    """Replays happen in the consumers' processes: say so if there are none."""
    wanted: set[str] = set()
    for chunk in chunks(ids):
        wanted |= set(letters.filter(pk__in=chunk).order_by().values_list("consumer", flat=True).distinct())
    alive = Heartbeat.objects.using(database).alive().filter(role="consumer", name__in=wanted)
    for name in sorted(wanted - set(alive.values_list("name", flat=True))):
        console.warn(f"No process of consumer {one_line(name)} is running: they are replayed when one is started.")


def _wait(console: Console, letters: DeadLetterQuerySet, ids: Sequence[int]) -> int:
    with console.progress("handled or dead again", len(ids)) as progress:
        left = len(ids)
        while left:
            under_way = partial(letters.exclude(replay_at=None).filter)
            still = sum(under_way(pk__in=chunk).count() for chunk in chunks(ids))
            progress(left - still)
            left = still
            time.sleep(0.3 if left else 0)
    dead = sum(letters.filter(pk__in=chunk).count() for chunk in chunks(ids))
    console.say(f"{len(ids) - dead:,} handled, {count(dead, 'is', 'are')} dead again.")
    return 1 if dead else 0
