"""Which dead letters: the options that choose them, for whatever is done with them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from django.db.models import Q

from eventbridge.cli.times import in_the_database, moment


def add_filters(parser: ArgumentParser) -> None:
    parser.add_argument("--consumer", metavar="NAME", help="of this consumer")
    parser.add_argument("--type", metavar="TYPE", help="of this event type")
    parser.add_argument("--exception", metavar="NAME", help="that died of this one, such as TimeoutError")
    parser.add_argument("--since", type=moment, metavar="TIME", help="that died then or later: 2026-11-23T14:00, or 2h")
    parser.add_argument(
        "--before", type=moment, metavar="TIME", help="that died before: a time, or an age such as 30min"
    )


def chosen(options: Namespace) -> Q:
    """What the options leave; an empty Q if none is given."""
    wanted = Q()
    if options.consumer:
        wanted &= Q(consumer=options.consumer)
    if options.type:
        wanted &= Q(type=options.type)
    if options.exception:
        wanted &= Q(exception=options.exception) | Q(exception__endswith=f".{options.exception}")
    if options.since:
        wanted &= Q(died_at__gte=in_the_database(options.since, options.database))
    if options.before:
        wanted &= Q(died_at__lt=in_the_database(options.before, options.database))
    return wanted
