"""Definitions: a topology, and the users with the least rights it needs, as RabbitMQ imports them.

``rabbitmqctl import_definitions``, the management page, or ``load_definitions`` in rabbitmq.conf.
No Django here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from eventbridge.topology import EVENTS, Topology, rung

if TYPE_CHECKING:
    from eventbridge.consumer import Consumer

_NOTHING = "^$"
_OF_A_QUEUE = {"durable": True, "auto_delete": False}
_OF_AN_EXCHANGE = {**_OF_A_QUEUE, "internal": False}


def definitions(topology: Topology, vhost: str) -> dict[str, Any]:
    """The exchanges, queues and bindings, in that virtual host."""
    return {
        "vhosts": [{"name": vhost}],
        "exchanges": [
            {"name": e.name, "vhost": vhost, "type": e.kind, **_OF_AN_EXCHANGE, "arguments": e.arguments}
            for e in topology.exchanges
        ],
        "queues": [{"name": q.name, "vhost": vhost, **_OF_A_QUEUE, "arguments": q.arguments} for q in topology.queues],
        "bindings": [
            {
                "source": b.exchange,
                "vhost": vhost,
                "destination": b.queue,
                "destination_type": "queue",
                "routing_key": b.key,
                "arguments": {},
            }
            for b in topology.bindings
        ],
    }


def users(consumers: Sequence[Consumer], types: Iterable[str], vhost: str) -> dict[str, Any]:
    """A relay, a user for each consumer, named as it is, and a provisioner; none has a password yet.

    The relay may publish types that begin with the first word of one of ``types``. A consumer may
    read its own queue, and write to its own rungs, where topic permissions confine it to the routing
    key that leads back to itself. Only the provisioner may create anything.
    """
    permissions = [_relay(), *map(_consumer, consumers), _provisioner(consumers)]
    topics = [_relays_topics(types), *(topic for consumer in consumers for topic in _consumers_topics(consumer))]
    return {
        "users": [{"name": p["user"], "password_hash": "", "tags": []} for p in permissions],
        "permissions": [{**p, "vhost": vhost} for p in permissions],
        "topic_permissions": [{**t, "vhost": vhost} for t in topics],
    }


def _relay() -> dict[str, str]:
    return {"user": "relay", "configure": _NOTHING, "write": _exactly([EVENTS]), "read": _NOTHING}


def _relays_topics(types: Iterable[str]) -> dict[str, str]:
    words = sorted({name.partition(".")[0] for name in types})
    own = f"^({'|'.join(map(re.escape, words))})(\\.|$)" if words else _NOTHING
    return {"user": "relay", "exchange": EVENTS, "write": own, "read": _NOTHING}


def _consumer(consumer: Consumer) -> dict[str, str]:
    return {
        "user": consumer.name,
        "configure": _NOTHING,
        "write": _exactly(_rungs(consumer)),
        "read": _exactly([consumer.name]),
    }


def _consumers_topics(consumer: Consumer) -> Iterable[dict[str, str]]:
    for name in _rungs(consumer):
        yield {"user": consumer.name, "exchange": name, "write": _exactly([consumer.name]), "read": _NOTHING}


def _rungs(consumer: Consumer) -> list[str]:
    """An ordered consumer waits in place: it writes nowhere."""
    return [] if consumer.ordered else [rung(delay) for delay in consumer.retries]


def _provisioner(consumers: Sequence[Consumer]) -> dict[str, str]:
    names = "".join(f"|{_escape(consumer.name)}$" for consumer in consumers)
    everything = f"^(eventbridge\\.{names})"
    return {"user": "provisioner", "configure": everything, "write": everything, "read": everything}


def _exactly(names: Sequence[str]) -> str:
    return f"^({'|'.join(map(_escape, names))})$" if names else _NOTHING


def _escape(name: str) -> str:
    """For Erlang's regular expressions, as for Python's; but a space or a dash needs no escape."""
    return re.escape(name).replace("\\-", "-").replace("\\ ", " ")
