"""topology: what must exist on the broker: what is missing, created, or written down for others to create."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError, router

from eventbridge import assembly
from eventbridge.audit import audit, these
from eventbridge.cli.arguments import Commands, add_json, command
from eventbridge.cli.console import Console
from eventbridge.cli.preflight import consumers_of, need_broker
from eventbridge.conf import settings
from eventbridge.consumer import Consumer
from eventbridge.definitions import definitions, users
from eventbridge.errors import TopologyMismatch
from eventbridge.event import event_types
from eventbridge.models import Audit
from eventbridge.topology import topology_of
from eventbridge.wording import count


def add_to(commands: Commands[Any]) -> None:
    parser = command(
        commands,
        "topology",
        run,
        "show, create or export the exchanges, queues and bindings that the consumers need",
        about="""
            Daemons create what they need by themselves (AUTO_DECLARE). In production set it to
            False, and let a provisioning user run `topology --apply` on every release, before the
            daemons start. Nothing is ever deleted.
        """,
        examples=("topology", "topology --apply consumers.email", "topology --export --users > definitions.json"),
        exits={
            0: "nothing is missing, or it was created, or exported",
            1: "something is missing (--plan), or is there but made otherwise (--apply)",
            2: "the broker cannot be asked",
        },
        checks=True,
    )
    _add_arguments(parser)


def _add_arguments(parser: ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--plan", action="store_true", help="list what is missing on the broker (the default)")
    how.add_argument("--apply", action="store_true", help="create what is missing")
    how.add_argument("--export", action="store_true", help="write it as RabbitMQ definitions (JSON)")
    parser.add_argument(
        "--users",
        action="store_true",
        help="with --export: also users without passwords, each with the least rights that it needs",
    )
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help="modules of consumers (default: EVENTBRIDGE['CONSUMERS'])"
    )
    add_json(parser)


def run(console: Console, options: Namespace) -> int:
    if options.users and not options.export:
        raise CommandError("--users goes with --export.")
    need_broker()
    consumers = consumers_of(options.modules or settings.CONSUMERS)
    if not consumers:
        console.warn("No consumers are named: this is only what all of them share.")
    if options.export:
        return _export(console, consumers, with_users=options.users)
    act = _apply if options.apply else _plan
    return act(console, consumers, as_json=options.json)


def _plan(console: Console, consumers: list[Consumer], *, as_json: bool) -> int:
    missing = assembly.missing(topology_of(consumers))
    if as_json:
        console.json({"missing": missing})
        return 1 if missing else 0
    if not missing:
        console.say("Nothing is missing.", "success")
        return 0
    console.say(f"{count(len(missing), 'thing')} missing; topology --apply creates:", "warning")
    console.say("\n".join(f"  {line}" for line in missing))
    return 1


def _apply(console: Console, consumers: list[Consumer], *, as_json: bool) -> int:
    topology = topology_of(consumers)
    missing = assembly.missing(topology)
    try:
        # Even if nothing is missing: what is there may be made otherwise, and this says so.
        assembly.declare(topology)
    except TopologyMismatch as error:
        left = assembly.missing(topology)
        _write_down(console, [line for line in missing if line not in left])
        raise CommandError(str(error)) from error
    _write_down(console, missing)
    if as_json:
        console.json({"created": missing})
    else:
        console.say("\n".join(f"created {line}" for line in missing) or "Nothing was missing.", "success")
    return 0


def _write_down(console: Console, created: list[str]) -> None:
    """In the audit. Whoever may declare things on the broker need not have a database."""
    try:
        audit("topology --apply", len(created), about=these(created), using=router.db_for_write(Audit))
    except (DatabaseError, InterfaceError) as error:
        console.warn(f"The audit could not be written: {str(error).strip()}")


def _export(console: Console, consumers: list[Consumer], *, with_users: bool) -> int:
    url = urlsplit(settings.BROKER_URL.partition(";")[0])
    vhost = unquote(url.path[1:]) if url.scheme != "database" else ""
    document = definitions(topology_of(consumers), vhost or "/")
    if with_users:
        names = sorted({kind.name for kind in event_types.values()})
        document |= users(consumers, names, vhost or "/")
    console.json(document)
    return 0
