"""manage.py eventbridge …: parses, builds, runs. What each subcommand does is in ``eventbridge.cli``."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from eventbridge import __version__
from eventbridge.cli import daemons, dead, describe, doctor, inbox, outbox, pause, status, topology
from eventbridge.cli.arguments import Help, group, help_of
from eventbridge.cli.console import Console
from eventbridge.cli.preflight import EXIT_UNREACHABLE, consumers_of, only
from eventbridge.errors import Unavailable
from eventbridge.transactions import autocommitting

_EPILOG = """\
Each command has its own help: manage.py eventbridge dead replay --help
Django's own options (--settings, --verbosity, --no-color, …) may stand anywhere.
"""


class Command(BaseCommand):
    help = "Run eventbridge's daemons, and look after the events."
    # Whoever looks into what is wrong must not be stopped by what is wrong: the daemons check.
    requires_system_checks: list[str] = []  # noqa: RUF012 - as Django declares it

    def get_version(self) -> str:
        """What --version prints: ours, not Django's."""
        return __version__

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        usage = "%(prog)s COMMAND …"
        parser = super().create_parser(
            prog_name, subcommand, formatter_class=Help, usage=usage, epilog=_EPILOG, **kwargs
        )
        # The commands are what people look for: in front of Django's options.
        parser._action_groups.insert(0, parser._action_groups.pop())  # noqa: SLF001 - argparse has no other way
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.set_defaults(run=help_of(parser), checks=False)
        parser.add_argument("--skip-checks", action="store_true", help="Start a daemon without system checks.")
        commands = group(parser)
        for noun in (daemons, status, doctor, pause, dead, outbox, topology, inbox, describe):
            noun.add_to(commands)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["checks"] and not options["skip_checks"]:
            self._check(options.get("modules") or ())
        console = Console(self.stdout, self.stderr, self.style, colour=options["force_color"])
        try:
            with autocommitting():
                code = options["run"](console, Namespace(**options))
            self.stdout.flush()
        except Unavailable as error:
            raise CommandError(f"The broker cannot be asked: {error}", returncode=EXIT_UNREACHABLE) from error
        except (OperationalError, InterfaceError) as error:
            raise CommandError(f"The database cannot be asked: {error}", returncode=EXIT_UNREACHABLE) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted; what was done stays done.", returncode=130) from None
        except BrokenPipeError:
            # Whoever read us has seen enough, as `head` does. Python would complain at exit too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        if code:
            raise SystemExit(code)

    def _check(self, modules: Sequence[str]) -> None:
        """Modules that are named are judged in place of those in CONSUMERS, which need not be fine for them to run."""
        consumers_of(modules)
        with only(modules) if modules else nullcontext():
            # No database is asked, as Django 6.1 would by itself: it may be away.
            self.check(databases=[])
