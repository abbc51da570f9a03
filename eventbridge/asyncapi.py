"""AsyncAPI: the events of this project as a document that other services' tools read.

https://www.asyncapi.com/docs/reference/specification/v3.0.0; the AMQP bindings are those of
https://github.com/asyncapi/bindings/tree/master/amqp (0.3.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from eventbridge.consumer import Consumer
from eventbridge.event import EventType, event_types
from eventbridge.topology import EVENTS

_CONTENT_TYPE = "application/cloudevents+json"
_BINDING = "0.3.0"
_SCHEMAS = "#/components/schemas/"
_ENVELOPE = ".cloudEvent"  # with such dots no event type is named
_TEXT = {"type": "string", "minLength": 1}
_CONTEXT: Mapping[str, Any] = {
    "sequence": {"type": "string", "pattern": "^[0-9]{20}$", "description": "The place in the outbox of its source."},
    "specversion": {"const": "1.0"},
    "id": {"type": "string", "format": "uuid", "description": "Deduplicate on source and id together."},
    "source": {"type": "string", "format": "uri-reference", "minLength": 1},
    "time": {"type": "string", "format": "date-time"},
    "subject": {**_TEXT, "description": "The value of the type's key."},
    "datacontenttype": {"const": "application/json"},
    "partitionkey": {**_TEXT, "description": "The key's name and value: events with the same one are about one thing."},
    "dataschema": {"type": "string", "format": "uri"},
    "correlationid": {**_TEXT, "description": "The id of the event with which everything began."},
    "causationid": {**_TEXT, "description": "The id of the event that was being handled."},
    "traceparent": {**_TEXT, "description": "W3C trace context."},
}
"""The attributes of docs/reference/wire-format.md, but for type and data."""


def asyncapi(source: str, consumers: Iterable[Consumer], version: str) -> dict[str, Any]:
    """The document, as plain JSON: a channel for each event type, and who sends and receives there.

    ``source`` is the service's; ``version`` that of the document. Names no server: a broker's address is no contract.
    """
    kinds = sorted(event_types.values(), key=lambda kind: kind.name)
    schemas = {name: schema for kind in kinds for name, schema in _schemas(kind).items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Events of {source}",
            "version": version,
            "description": f"CloudEvents 1.0 in structured mode, on the topic exchange {EVENTS}. At least once.",
        },
        "defaultContentType": _CONTENT_TYPE,
        "channels": {kind.name: _channel(kind) for kind in kinds},
        "operations": {**_sends(kinds), **_receives(kinds, consumers)},
        "components": {
            "messages": {kind.name: _message(kind) for kind in kinds},
            "schemas": {_ENVELOPE: _envelope(), **schemas},
        },
    }


def _schemas(kind: EventType) -> dict[str, Any]:
    """Of its data, under the type's name, and of what that refers to, each under a name that begins with it.

    Type by type: msgspec cannot tell two classes of one name apart.
    """
    template = f"{_SCHEMAS}{kind.name}..{{name}}"
    [data], parts = msgspec.json.schema_components([kind.payload], ref_template=template)
    return {kind.name: data, **{f"{kind.name}..{name}": part for name, part in parts.items()}}


def _envelope() -> dict[str, Any]:
    required = ["specversion", "id", "source", "type", "time", "data"]
    return {"type": "object", "properties": dict(_CONTEXT), "required": required}


def _channel(kind: EventType) -> dict[str, Any]:
    exchange = {"name": EVENTS, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": kind.name,
        "messages": {"event": {"$ref": f"#/components/messages/{kind.name}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": _BINDING}},
    }


def _message(kind: EventType) -> dict[str, Any]:
    data = {"$ref": f"{_SCHEMAS}{kind.name}"}
    own = {"type": "object", "properties": {"type": {"const": kind.name}, "data": data}}
    return {
        "name": kind.name,
        "title": kind.payload.__name__,
        "summary": kind.description.partition("\n")[0],
        "contentType": _CONTENT_TYPE,
        "payload": {"allOf": [{"$ref": f"{_SCHEMAS}{_ENVELOPE}"}, own]},
        "bindings": {"amqp": {"messageType": kind.name, "bindingVersion": _BINDING}},
    }


def _sends(kinds: Sequence[EventType]) -> dict[str, Any]:
    binding = {"deliveryMode": 2, "mandatory": True, "bindingVersion": _BINDING}
    return {f"send {kind.name}": {"action": "send", **_to(kind), "bindings": {"amqp": binding}} for kind in kinds}


def _receives(kinds: Sequence[EventType], consumers: Iterable[Consumer]) -> dict[str, Any]:
    pairs = [(consumer, kind) for consumer in consumers for kind in kinds if consumer.handler_for(kind.name)]
    return {
        f"receive {kind.name} as {consumer.name}": {
            "action": "receive",
            **_to(kind),
            "summary": f"From the queue {consumer.name}.",
            "bindings": {"amqp": {"ack": True, "bindingVersion": _BINDING}},
        }
        for consumer, kind in pairs
    }


def _to(kind: EventType) -> dict[str, Any]:
    return {"channel": {"$ref": f"#/channels/{kind.name}"}}
