"""A broker, examined: its version, its certificate, the topology, and what this user may do.

AMQP has no verb for any right. Each is found by an order that RabbitMQ judges by the right first, and then
refuses, or forgets, for another reason: so nothing is made, published or taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import amqp
from amqp.exceptions import AccessRefused, ChannelError, NotFound

from eventbridge.topology import LOST, Exchange, Queue, Topology
from eventbridge.transports import Options
from eventbridge.transports.examination import Examination, Write
from eventbridge.transports.rabbitmq.connection import LINK_ERRORS, certificate_ends, connect_to, endpoints
from eventbridge.transports.rabbitmq.declare import attempt, declare_one, linked, look_for, missing, problem_with

_EACH = 2.0
"""Seconds that each broker of a list has to answer."""


class _Blocked(Exception):
    """The broker said that it takes nothing from publishers."""


def examine(options: Options, topology: Topology, *, writes: Sequence[Write], reads: Sequence[str]) -> Examination:
    """Look at all of it; raises Unavailable. A broker with an alarm is asked for no right to write."""
    found = Examination(missing=missing(options, topology))
    with linked(options, "doctor", {"on_blocked": _on_blocked}) as link:
        found.product = str(link.server_properties.get("product", ""))
        found.version = str(link.server_properties.get("version", ""))
        _ask_each(options, found)
        _look_at(link, topology, found)
        found.unreadable = [queue for queue in reads if isinstance(attempt(link, queue, _take_none), AccessRefused)]
        try:
            found.unwritable = [to for to in writes if not _may_publish(link, to)]
        except _Blocked:
            found.blocked = True
    return found


def _on_blocked(_reason: str) -> None:
    raise _Blocked


def _ask_each(options: Options, found: Examination) -> None:
    """Each broker of the list for its certificate: only the first that answers is asked for the rest."""
    for broker in endpoints(options):
        try:
            link = connect_to(broker, options, "doctor", min(options.connect_timeout, _EACH))
        except LINK_ERRORS as error:
            found.away[str(broker)] = str(error)
            continue
        ends = certificate_ends(link)
        if ends is not None:
            found.certificates_end[str(broker)] = ends
        link.collect()


def _look_at(link: amqp.Connection, topology: Topology, found: Examination) -> None:
    """What is there is declared as it should be, which changes nothing; what is not, as it cannot be."""
    things: list[Exchange | Queue] = [*topology.exchanges, *topology.queues]
    for thing in things:
        absent = isinstance(attempt(link, thing, look_for), NotFound)
        error = attempt(link, thing, _declare_badly if absent else declare_one)
        if isinstance(error, AccessRefused):
            found.undeclarable.append(thing.name)
        elif error is not None and not absent:
            found.other.append(problem_with(thing, error))
    attempt(link, found, _count_lost)


def _declare_badly(channel: Any, thing: Exchange | Queue) -> None:
    """With a limit that is no number: refused as that, by whoever may declare it. Of an exchange it is not known."""
    if isinstance(thing, Queue):
        arguments = {"x-queue-type": "quorum", "x-max-length": "none"}
        channel.queue_declare(thing.name, durable=True, exclusive=False, auto_delete=False, arguments=arguments)


def _take_none(channel: Any, queue: str) -> None:
    """With a priority that is no number: refused as that, where the queue may be read."""
    channel.basic_consume(queue, arguments={"x-priority": "none"})


def _may_publish(link: amqp.Connection, to: Write) -> bool:
    """By a transaction that is rolled back: no queue gets anything."""
    channel = link.channel()
    try:
        channel.tx_select()
        channel.basic_publish(amqp.Message(b""), to.exchange, to.key)
        channel.tx_rollback()
    except AccessRefused:
        return False
    except ChannelError:
        return True  # no such exchange: that is told as missing
    channel.close()  # but not after _Blocked: a broker with an alarm would not answer
    return True


def _count_lost(channel: Any, found: Examination) -> None:
    found.lost = channel.queue_declare(LOST, passive=True).message_count
