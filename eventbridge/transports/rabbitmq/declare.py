"""The topology on RabbitMQ: declared, or looked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import amqp
from amqp.exceptions import AccessRefused, ChannelError, NotFound

from eventbridge.errors import TopologyMismatch, Unavailable
from eventbridge.topology import Binding, Exchange, Queue, Topology
from eventbridge.transports import Options
from eventbridge.transports.rabbitmq.connection import APPLY, LINK_ERRORS, connect

# RabbitMQ's words, the same from 3.10 to 4: rabbit_misc.erl, assert_args_equivalence1.
_OTHER = re.compile(r"inequivalent arg '(.+?)' for .+?: received (.+?) but current is (.+)", re.DOTALL)
_TYPED = re.compile(r"the value ('.*?') of type '\w+'")

Thing = Exchange | Queue | Binding
T = TypeVar("T")


def declare(options: Options, topology: Topology) -> None:
    """Create what is missing; what is there already stays as it is, so it may run at every start.

    Raises TopologyMismatch, with a line for each thing that is there but other, or that this user
    may not declare; all the others exist then. Raises Unavailable.
    """
    things: list[Thing] = [*topology.exchanges, *topology.queues, *topology.bindings]
    with linked(options, "topology") as link:
        errors = [(thing, attempt(link, thing, declare_one)) for thing in things]
    problems = [problem_with(thing, error) for thing, error in errors if error is not None]
    if problems:
        raise TopologyMismatch("\n".join(problems))


def missing(options: Options, topology: Topology) -> list[str]:
    """What ``declare`` would create, one line each; needs no right to create. Raises Unavailable.

    AMQP cannot be asked for a binding: those of a queue or an exchange that is missing are listed, the
    others are taken to be there (``declare`` makes them again in any case, which changes nothing).
    """
    with linked(options, "topology") as link:
        exchanges = [e for e in topology.exchanges if isinstance(attempt(link, e, look_for), NotFound)]
        queues = [q for q in topology.queues if isinstance(attempt(link, q, look_for), NotFound)]
    sources, targets = {e.name for e in exchanges}, {q.name for q in queues}
    bindings = [b for b in topology.bindings if b.exchange in sources or b.queue in targets]
    absent: list[Thing] = [*exchanges, *queues, *bindings]
    return [name_of(thing) for thing in absent]


@contextmanager
def linked(options: Options, role: str, events: dict[str, Any] | None = None) -> Iterator[amqp.Connection]:
    """A connection for a few questions. Raises Unavailable, also for what breaks it on the way."""
    link = connect(options, role, events)
    try:
        yield link
    except LINK_ERRORS as error:
        raise Unavailable(f"the broker went away: {error}") from error
    finally:
        link.collect()


def attempt(link: amqp.Connection, thing: T, action: Callable[[Any, T], None]) -> ChannelError | None:
    """On a channel of its own, for an error closes it. Returns that error."""
    channel = link.channel()
    try:
        action(channel, thing)
    except ChannelError as error:
        return error
    finally:
        channel.close()
    return None


def declare_one(channel: Any, thing: Thing) -> None:
    """Durable, and neither exclusive nor auto-deleted: 4.3 refuses anything transient."""
    match thing:
        case Exchange(name, kind, arguments):
            channel.exchange_declare(name, kind, durable=True, auto_delete=False, arguments=arguments)
        case Queue(name, arguments):
            channel.queue_declare(name, durable=True, exclusive=False, auto_delete=False, arguments=arguments)
        case Binding(exchange, queue, key):
            channel.queue_bind(queue, exchange, key)


def look_for(channel: Any, thing: Thing) -> None:
    match thing:
        case Exchange(name, kind):
            channel.exchange_declare(name, kind, passive=True)
        case Queue(name):
            channel.queue_declare(name, passive=True)


def name_of(thing: Thing) -> str:
    match thing:
        case Exchange(name, kind):
            return f"{kind} exchange {name}"
        case Queue(name):
            return f"queue {name}"
        case Binding(exchange, queue, key):
            return f"binding of queue {queue} to exchange {exchange} by {key!r}"


def problem_with(thing: Thing, error: ChannelError) -> str:
    """What is the matter, and what to do."""
    other = _OTHER.search(_TYPED.sub(r"\1", error.reply_text))
    if other:
        argument, wanted, current = other.groups()
        return (
            f"{name_of(thing)} is there, but with {argument} = {current} where {wanted} is needed. RabbitMQ cannot "
            f"change that: let it run empty, delete it, and {APPLY}."
        )
    if isinstance(error, AccessRefused):
        return (
            f"{name_of(thing)}: this user may not declare it ({error.reply_text}). As one who may, {APPLY}, "
            f"and set AUTO_DECLARE to False here."
        )
    return f"{name_of(thing)}: {error.reply_text}"
