"""manage.py eventbridge …: parses, builds, runs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from eventbridge.assembly import Pruning, consume_daemon, make_relay, relay_daemon
from eventbridge.conf import settings
from eventbridge.consumer import consumers_in


class Command(BaseCommand):
    help = "Run and look after eventbridge's daemons."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        relay = commands.add_parser("relay")
        relay.add_argument("--database", default="default")
        relay.add_argument("--once", action="store_true")
        relay.add_argument("--drain", action="store_true")
        consume = commands.add_parser("consume")
        consume.add_argument("modules", nargs="*")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, options["command"])(**options)

    def relay(self, database: str, **options: Any) -> None:
        raise SystemExit(relay_daemon(database).run())

    def consume(self, modules: list[str], **options: Any) -> None:
        try:
            consumers = consumers_in(modules or settings.CONSUMERS)
        except LookupError as error:
            raise CommandError(str(error)) from error
        pruning = Pruning(consumer.database for consumer in consumers)
        raise SystemExit(consume_daemon(consumers).run([pruning]))
