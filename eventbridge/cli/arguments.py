"""Arguments: how a subcommand presents itself in ``--help``, and what each of them takes."""

from __future__ import annotations

from argparse import (
    SUPPRESS,
    ArgumentParser,
    ArgumentTypeError,
    RawDescriptionHelpFormatter,
    _MutuallyExclusiveGroup,
    _SubParsersAction,
)
from collections.abc import Callable, Mapping, Sequence
from textwrap import dedent
from typing import Any

from django.core.management.base import DjangoHelpFormatter
from django.db import DEFAULT_DB_ALIAS

Commands = _SubParsersAction  # what add_subparsers returns; argparse gives it no public name

PROGRAM = "manage.py eventbridge"
COMMON_EXITS = {0: "done", 1: "a wrong value", 2: "wrong options, or what it asks is away", 130: "Ctrl-C"}
"""What a command's exit codes mean, unless it says otherwise."""
_TOO_LARGE = 2**63  # for a database's bigint


class Help(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the lines of descriptions and examples as they were written."""


def command(
    commands: Commands[Any],
    name: str,
    run: Callable[..., int | None] | None,
    summary: str,
    *,
    about: str = "",
    examples: Sequence[str] = (),
    exits: Mapping[int, str] | None = None,
    checks: bool = False,
) -> ArgumentParser:
    """Add a subcommand. ``run(console, options)`` returns the exit code; without it, it prints its help.

    ``exits`` are its exit codes where they say more than the common ones. ``checks``: Django's system checks
    must pass first, as for most of its commands.
    """
    parser: ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n\n{dedent(about).strip()}".strip(),
        epilog=epilog(examples, {**COMMON_EXITS, **(exits or {})}),
        formatter_class=Help,
    )
    parser.set_defaults(run=run or help_of(parser), checks=checks)
    _add_djangos(parser)
    return parser


def group(parser: ArgumentParser) -> Commands[Any]:
    """Where the subcommands of a command go."""
    return parser.add_subparsers(title="commands", metavar="COMMAND", prog=parser.prog)


def help_of(parser: ArgumentParser) -> Callable[..., int]:
    """What runs when a command is given without its subcommand."""

    def show(console: Any, options: Any) -> int:
        console.say(parser.format_help().rstrip())
        return 2

    return show


def epilog(examples: Sequence[str], exits: Mapping[int, str]) -> str:
    """Examples and exit codes, below the options."""
    parts = []
    if examples:
        parts.append("\n".join(["examples:", *(f"  {PROGRAM} {example}" for example in examples)]))
    if exits:
        parts.append("\n".join(["exit codes:", *(f"  {code:<3} {text}" for code, text in sorted(exits.items()))]))
    return "\n\n".join(parts)


def number(text: str) -> int:
    """An id or a limit, as argparse's ``type``."""
    if not text.isdecimal() or not 0 < int(text) < _TOO_LARGE:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def add_json(parser: ArgumentParser | _MutuallyExclusiveGroup) -> None:
    parser.add_argument("--json", action="store_true", help="write JSON, for programs")


def add_database(parser: ArgumentParser) -> None:
    parser.add_argument("--database", default="default", metavar="ALIAS", help="a name in DATABASES (default: default)")


def option_of(database: str) -> str:
    """``--database`` as a command that is told to a person needs it."""
    return "" if database == DEFAULT_DB_ALIAS else f" --database {database}"


def _add_djangos(parser: ArgumentParser) -> None:
    """Django's own options are the command's; here they may also stand behind the subcommand."""
    parser.add_argument("-v", "--verbosity", type=int, choices=[0, 1, 2, 3], default=SUPPRESS, help=SUPPRESS)
    for name in ("--settings", "--pythonpath"):
        parser.add_argument(name, default=SUPPRESS, help=SUPPRESS)
    for name in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
        parser.add_argument(name, action="store_true", default=SUPPRESS, help=SUPPRESS)
