"""Catalogue: the event types, bridges, consumers and settings of this project, as they are declared.

Read from the code that is loaded; no database and no broker is asked.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.dispatch import Signal

from eventbridge.capture import MODEL_SIGNALS, Bridge, bridges
from eventbridge.conf import Settings, settings
from eventbridge.consumer import Consumer
from eventbridge.errors import EventbridgeError
from eventbridge.event import EventType, event_types
from eventbridge.wording import without_password


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BridgeEntry:
    """A function that makes events of signals. ``sender`` is empty where any will do."""

    function: str
    signals: list[str]
    sender: str
    emits: list[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TypeEntry:
    """An event type. ``fields`` are names with their Python types."""

    name: str
    description: str
    key: str | None
    mandatory: bool
    payload: str
    fields: dict[str, str]
    bridges: list[BridgeEntry]
    handled_by: list[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerEntry:
    """A consumer. ``handlers`` are binding keys with the functions that they lead to. Times in seconds."""

    name: str
    handlers: dict[str, str]
    atomic: bool
    ordered: bool
    concurrency: int
    batch: int
    retries: list[float]
    timeout: float | None
    database: str
    redact: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    event_types: list[TypeEntry]
    consumers: list[ConsumerEntry]
    settings: dict[str, Any]


def catalogue(consumers: Iterable[Consumer]) -> Catalogue:
    """What is declared: every type and bridge that is loaded, these consumers, the settings in force."""
    consumers = list(consumers)
    kinds = sorted(event_types.values(), key=lambda kind: kind.name)
    return Catalogue(
        event_types=[_type_entry(kind, consumers) for kind in kinds],
        consumers=[_consumer_entry(consumer) for consumer in consumers],
        settings=settings_in_force(),
    )


def settings_in_force() -> dict[str, Any]:
    """Every setting, given or default; no password."""
    values = {name: getattr(settings, name) for name in Settings.__annotations__}
    return {name: _masked(value) for name, value in values.items()}


def write_schemas(folder: Path) -> list[Path]:
    """Write one JSON Schema for each event type; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in event_types.values():
        path = folder / f"{kind.name}.json"
        path.write_text(json.dumps(kind.schema(), indent=2) + "\n", encoding="utf-8")
        written.append(path)
    return sorted(written)


def _masked(value: Any) -> Any:
    return without_password(value) if isinstance(value, str) else value


def _type_entry(kind: EventType, consumers: Iterable[Consumer]) -> TypeEntry:
    return TypeEntry(
        name=kind.name,
        description=kind.description,
        key=kind.key,
        mandatory=kind.mandatory,
        payload=_dotted(kind.payload),
        fields=_fields(kind.payload),
        bridges=[_bridge_entry(bridge) for bridge in bridges if kind.payload in _emitted(bridge)],
        handled_by=[consumer.name for consumer in consumers if consumer.handler_for(kind.name)],
    )


def _consumer_entry(consumer: Consumer) -> ConsumerEntry:
    same = (field.name for field in dataclasses.fields(ConsumerEntry) if field.name not in ("handlers", "retries"))
    return ConsumerEntry(
        handlers={key: _dotted(handler.function) for key, handler in consumer.handlers.items()},
        retries=list(consumer.retries),
        **{name: getattr(consumer, name) for name in same},
    )


def _bridge_entry(bridge: Bridge) -> BridgeEntry:
    sender = bridge.sender
    return BridgeEntry(
        function=str(bridge),
        signals=[_name_of(signal, bridge) for signal in bridge.kinds],
        sender=sender if isinstance(sender, str) else _dotted(sender) if sender is not None else "",
        emits=[event_types[cls].name for cls in _emitted(bridge)],
    )


def _emitted(bridge: Bridge) -> tuple[type[Any], ...]:
    """None, where the annotation cannot be read: `manage.py check` says so."""
    try:
        return bridge.types
    except EventbridgeError:
        return ()


def _name_of(signal: Signal, bridge: Bridge) -> str:
    """A custom signal does not know its name; the module of the bridge that imports it does."""
    if signal in MODEL_SIGNALS:
        return MODEL_SIGNALS[signal]
    names = vars(sys.modules[bridge.function.__module__])
    return next((name for name, value in names.items() if value is signal), type(signal).__name__)


def _fields(payload: type[Any]) -> dict[str, str]:
    try:
        hints = typing.get_type_hints(payload)
    except (NameError, TypeError):
        hints = payload.__annotations__
    return {field.name: inspect.formatannotation(hints[field.name]) for field in dataclasses.fields(payload)}


def _dotted(thing: Any) -> str:
    return f"{thing.__module__}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"
