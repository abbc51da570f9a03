"""describe: the event types, consumers and settings of this project, without asking anybody."""

from __future__ import annotations

import dataclasses
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from eventbridge.asyncapi import asyncapi
from eventbridge.catalogue import BridgeEntry, Catalogue, ConsumerEntry, TypeEntry, catalogue, write_schemas
from eventbridge.cli.arguments import Commands, add_json, command
from eventbridge.cli.console import Console
from eventbridge.cli.preflight import consumers_of
from eventbridge.conf import settings
from eventbridge.wording import count


def add_to(commands: Commands[Any]) -> None:
    parser = command(
        commands,
        "describe",
        run,
        "describe the event types, the consumers and the settings in force",
        about="Needs neither a database nor a broker. Passwords are not shown.",
        examples=(
            "describe",
            "describe consumers.email --json",
            "describe --schemas schemas/",
            "describe --asyncapi asyncapi.json",
        ),
    )
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help="modules of consumers (default: EVENTBRIDGE['CONSUMERS'])"
    )
    parser.add_argument(
        "--schemas", type=Path, metavar="DIR", help="write a JSON Schema of each event type's data to this folder"
    )
    parser.add_argument(
        "--asyncapi", type=Path, metavar="FILE", help="write an AsyncAPI 3.0 document of the events to this file"
    )
    parser.add_argument(
        "--document-version", default="1.0.0", metavar="VERSION", help="what that document calls itself (1.0.0)"
    )
    add_json(parser)


def run(console: Console, options: Namespace) -> None:
    consumers = consumers_of(options.modules or settings.CONSUMERS)
    if options.schemas:
        written = write_schemas(options.schemas)
        console.say(f"Wrote {count(len(written), 'schema')} to {options.schemas}.", "success")
    if options.asyncapi:
        document = asyncapi(settings.SOURCE, consumers, options.document_version)
        options.asyncapi.parent.mkdir(parents=True, exist_ok=True)
        options.asyncapi.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        console.say(f"Wrote {count(len(document['channels']), 'event type')} to {options.asyncapi}.", "success")
    if not (options.schemas or options.asyncapi):
        found = catalogue(consumers)
        console.json(dataclasses.asdict(found)) if options.json else _tell(console, found)


def _tell(console: Console, found: Catalogue) -> None:
    if not found.event_types:
        console.say("There are no event types. Decorate a class with @event_type('shop.order.paid.v1').")
    for kind in found.event_types:
        _tell_type(console, kind)
    if not found.consumers:
        console.say("No consumers are named: list their modules in EVENTBRIDGE['CONSUMERS'], or after describe.\n")
    for consumer in found.consumers:
        _tell_consumer(console, consumer)
    console.say("Settings in force", "bold")
    for name, value in found.settings.items():
        console.say(f"  {name:<16} {value!r}")


def _tell_type(console: Console, kind: TypeEntry) -> None:
    console.say(kind.name, "bold")
    if kind.description:
        console.say(f"  {kind.description.splitlines()[0]}")
    console.say(f"  class       {kind.payload}")
    for number, (name, type_name) in enumerate(kind.fields.items()):
        key = "  (key)" if name == kind.key else ""
        console.say(f"  {'' if number else 'fields':<11} {name}: {type_name}{key}")
    for bridge in kind.bridges:
        console.say(f"  emitted by  {bridge.function}\n              on {_cause(bridge)}")
    nobody = "nobody here" if kind.mandatory else "nobody here, which is fine (mandatory=False)"
    console.say(f"  handled by  {', '.join(kind.handled_by) or nobody}\n")


def _cause(bridge: BridgeEntry) -> str:
    return f"{' and '.join(bridge.signals)} of {bridge.sender or 'any sender'}"


def _tell_consumer(console: Console, consumer: ConsumerEntry) -> None:
    console.say(f"consumer {consumer.name}", "bold")
    for number, (key, function) in enumerate(consumer.handlers.items()):
        console.say(f"  {'' if number else 'handles':<11} {key}\n              by {function}")
    console.say(f"  retries     {_after(consumer)}")
    console.say(f"  work        {_how(consumer)}")
    if consumer.redact:
        console.say(f"  redacts     {', '.join(consumer.redact)}")
    console.say(f"  database    {consumer.database}\n")


def _after(consumer: ConsumerEntry) -> str:
    rungs = ", ".join(f"{delay:g} s" for delay in consumer.retries)
    return f"after {rungs}; then it is a dead letter" if rungs else "none: a dead letter at once"


def _how(consumer: ConsumerEntry) -> str:
    how = "in one transaction with the inbox" if consumer.atomic else "outside of a transaction"
    order = "in order, one at a time" if consumer.ordered else f"{consumer.concurrency} at a time"
    batch = f", up to {consumer.batch} together" if consumer.batch > 1 else ""
    limit = "no timeout" if consumer.timeout is None else f"{consumer.timeout:g} s at most"
    return f"{order}{batch}, {how}, {limit}"
