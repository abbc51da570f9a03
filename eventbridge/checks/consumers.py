"""Consumers: the modules in CONSUMERS, and the promises of each consumer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage
from django.db import connections

from eventbridge.checks import findings
from eventbridge.checks.kinds import is_a
from eventbridge.conf import settings
from eventbridge.consumer import Consumer, consumers_in
from eventbridge.event import event_type_of, event_types
from eventbridge.topology import matches

LONGEST_RUNG_IN_PLACE = 60.0


def check_consumers(**kwargs: Any) -> list[CheckMessage]:
    """The modules in CONSUMERS load, and their consumers keep their promises."""
    consumers, found = known_consumers()
    return [*found, *(problem for consumer in consumers for problem in consumer_problems(consumer))]


def known_consumers() -> tuple[list[Consumer], list[CheckMessage]]:
    """Those of each module in CONSUMERS that loads, and what is wrong with the other modules."""
    modules: Any = settings.CONSUMERS
    known: dict[str, Consumer] = {}
    found: list[CheckMessage] = []
    for module in modules if is_a(modules, Sequence) else ():  # check_settings says so
        try:
            own = consumers_in([module])
        except LookupError as error:
            found.append(findings.error(20, f"EVENTBRIDGE['CONSUMERS']: {error}."))
        except Exception as error:  # whatever a module of theirs raises while it is imported
            text = f"EVENTBRIDGE['CONSUMERS']: {module!r} cannot be imported: {type(error).__name__}: {error}."
            found.append(findings.error(20, text))
        else:
            found += [_repeated(c, module) for c in own if known.setdefault(c.name, c) is not c]
    return list(known.values()), found


def _repeated(consumer: Consumer, module: str) -> CheckMessage:
    text = f"EVENTBRIDGE['CONSUMERS']: two consumers are named {consumer.name!r}, one of them in {module!r}."
    return findings.error(20, text, "The name is the queue's: give each its own.")


def consumer_problems(consumer: Consumer) -> Iterable[CheckMessage]:
    """What is wrong with one consumer; ``eventbridge consume`` refuses to run it."""
    if not consumer.handlers:
        hint = "Write @consumer.handles(BookPublished) above a function."
        yield findings.error(21, f"consumer {consumer.name!r} handles nothing.", hint)
    yield from _unknown_patterns(consumer)
    if consumer.ordered:
        yield from _lost_order(consumer)
    if not consumer.atomic and consumer.batch > 1:
        hint = "A batch is one transaction: use atomic=True, or batch=1 with more concurrency."
        yield findings.error(25, f"consumer {consumer.name!r} has atomic=False and a batch.", hint)
    yield from _unknown_redactions(consumer)
    if consumer.database not in connections:
        hint = f"DATABASES has {', '.join(connections)}."
        yield findings.error(26, f"consumer {consumer.name!r}: there is no database {consumer.database!r}.", hint)


def _unknown_patterns(consumer: Consumer) -> Iterator[CheckMessage]:
    names = [kind.name for kind in event_types.values()]
    for handler in consumer.handlers.values():
        if handler.payload is None and not any(matches(handler.key, name) for name in names):
            hint = (
                "Fine, if another service sends them. '*' is exactly one word and '#' any number: "
                "'bookstore.book.#' matches all of a book's events."
            )
            text = f"consumer {consumer.name!r}: no event type that is known here matches {handler.key!r}."
            yield findings.warning(22, text, hint)


def _lost_order(consumer: Consumer) -> Iterator[CheckMessage]:
    """What an ordered consumer cannot have: each event waits for the one before it."""
    if any(delay > LONGEST_RUNG_IN_PLACE for delay in consumer.retries):
        hint = f"It waits in place; give it retries of up to {LONGEST_RUNG_IN_PLACE:g} s, such as (1, 5, 30)."
        yield findings.error(23, f"consumer {consumer.name!r} is ordered and has long rungs.", hint)
    if consumer.concurrency > 1 or consumer.batch > 1:
        hint = "An ordered consumer handles one at a time: leave concurrency and batch at 1."
        yield findings.error(24, f"consumer {consumer.name!r} is ordered and handles several at a time.", hint)


def _unknown_redactions(consumer: Consumer) -> Iterator[CheckMessage]:
    """A name that is written otherwise would hide nothing."""
    payloads = [handler.payload for handler in consumer.handlers.values()]
    if not all(payloads):
        return  # what comes by a pattern may have any fields
    known = {"data", "subject", "partitionkey", "correlationid", "causationid"}
    known |= {name for payload in payloads if payload for name in _members(event_type_of(payload).schema())}
    for name in consumer.redact:
        if name not in known:
            text = f"consumer {consumer.name!r} redacts {name!r}, which no event that it handles has."
            yield findings.warning(27, text, "Write it as in the event's class. In an Any or a dict it may be right.")


def _members(schema: Any) -> Iterator[str]:
    """Every name of a property in a JSON Schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _members(part)
