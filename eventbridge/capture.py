"""From a signal to a row in the outbox: ``@bridge``, ``emit`` and ``emit_many``.

The row commits with the change that caused it, or not at all.
"""

from __future__ import annotations

import functools
import inspect
import json
import typing
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import async_to_sync
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, router, transaction
from django.db.models import Model, signals
from django.db.models.utils import make_model_tuple
from django.dispatch import Signal
from django.utils.functional import Promise

from eventbridge import telemetry
from eventbridge.conf import settings
from eventbridge.errors import EventbridgeError, InvalidEvent
from eventbridge.event import Event, event_type_of, event_types
from eventbridge.transactions import all_or_nothing, all_or_nothing_once_written, must_be_intact
from eventbridge.values import plain
from eventbridge.wire import encode

if TYPE_CHECKING:
    from eventbridge.models.outbox import NewEntry, OutboxQuerySet

F = TypeVar("F", bound=Callable[..., Any])

MODEL_SIGNALS: dict[Signal, str] = {
    signals.pre_save: "pre_save",
    signals.post_save: "post_save",
    signals.pre_delete: "pre_delete",
    signals.post_delete: "post_delete",
    signals.m2m_changed: "m2m_changed",
}
_SAVES = (signals.pre_save, signals.post_save)
_USING = 3  # its place among the arguments of Model.save_base

bridges: list[Bridge] = []
"""Every bridge there is, in the order of their definition."""


def emit(data: Any, *, using: str | None = None, time: datetime | None = None) -> Event[Any]:
    """Record one event in the outbox of database ``using``; return it.

    It is part of the transaction that is open there, and published if that commits; outside one it
    is recorded at once. ``using`` defaults to where the router writes the outbox, ``time`` to now.
    If it fails, the open transaction can no longer commit, even where the error is caught. Raises
    InvalidEvent, naming the field, for data that does not fit its type or is too large.
    """
    return emit_many([data], using=using, time=time)[0]


def emit_many(data: Iterable[Any], *, using: str | None = None, time: datetime | None = None) -> list[Event[Any]]:
    """Record events in this order, by one statement. As ``emit``; all of them or none."""
    if type(data) in event_types:
        raise TypeError("emit_many() takes several events; use emit() for one")
    alias, sender = _alias(using), _tables().OutboxEntry
    with all_or_nothing(alias):
        events = [_about(item, alias, time) for item in data]
        telemetry.creating.send_robust(sender, events=events, using=alias)  # which may replace items of events
        _outbox(alias).record([_entry(event) for event in events])
    telemetry.emitted.send_robust(sender, events=events, using=alias)
    return events


@functools.cache
def _tables() -> Any:
    """``models.outbox``. Not imported above: this module is imported before models can be."""
    if not apps.is_installed("eventbridge"):
        raise ImproperlyConfigured("add 'eventbridge' to INSTALLED_APPS: events need its outbox")
    from eventbridge.models import outbox

    return outbox


@functools.cache
def _outbox(alias: str) -> OutboxQuerySet:
    """Made once: it takes a tenth of an emit, and ``record`` keeps nothing in it."""
    found: OutboxQuerySet = _tables().OutboxEntry.objects.using(alias)
    return found


def _alias(using: str | None) -> str:
    return using or router.db_for_write(_tables().OutboxEntry)


def source_of(alias: str) -> str:
    """CloudEvents' ``source`` for the outbox in that database: a second one appends its alias."""
    source: str = settings.SOURCE
    return source if alias == DEFAULT_DB_ALIAS else f"{source.rstrip('/')}/{alias}"


def _about(data: Any, alias: str, time: datetime | None) -> Event[Any]:
    if isinstance(data, type):
        raise TypeError(f"emit an instance, as in {data.__name__}(…), not the class")
    if time is not None and not isinstance(time, datetime):
        raise _told(data, InvalidEvent(f"time is a datetime that knows its time zone, not {time!r}"))
    return Event.about(data, source=source_of(alias), time=time, schemas=settings.SCHEMA_URL)


def _entry(event: Event[Any]) -> NewEntry:
    try:
        body = encode(event, _text)
    except InvalidEvent as error:
        _told(event.data, error)
        raise
    if len(body) > settings.MAX_EVENT_BYTES:
        raise _told(event.data, InvalidEvent(_too_large(event, len(body))))
    kind = event_type_of(type(event.data))
    headers = json.dumps({"traceparent": event.traceparent}) if event.traceparent else ""
    entry: NewEntry = _tables().NewEntry(event.id, event.type, kind.mandatory, headers, body.decode())
    return entry


def _told(data: Any, error: InvalidEvent) -> InvalidEvent:
    """The error, after whoever watches was told of it: the emitter's own code may catch it."""
    kind = event_types.get(type(data))
    telemetry.invalid.send_robust(type(data), type=kind.name if kind else "", error=error)
    return error


def _text(value: Any) -> Any:
    """Lazy strings are text."""
    return plain(str(value) if isinstance(value, Promise) else value)


def _too_large(event: Event[Any], size: int) -> str:
    data = event.data
    largest = max(data.__dataclass_fields__, key=lambda name: len(str(getattr(data, name))), default="")
    return (
        f"{event.type}: {size} bytes are more than EVENTBRIDGE['MAX_EVENT_BYTES'] "
        f"({settings.MAX_EVENT_BYTES}); the largest field is `{largest}`"
    )


def bridge(signal: Signal | Sequence[Signal], *, sender: Any = None, **kwargs: Any) -> Callable[[F], F]:
    """Make a signal's receiver return an event, or several, or None for none.

    Takes what ``django.dispatch.receiver`` takes. The function gets the signal's arguments by name,
    and its return annotation names the event types. It is returned unchanged. Saves of ``sender``
    become atomic with their event; fixtures (``raw=True``) are skipped; what it raises stops the
    change. A weak reference is never used: a bridge lives as long as the process. Raises ``TypeError``
    for what is no signal, and for a sender that no signal of these can have.
    """
    kinds = _signals(signal)
    _must_be_possible(sender, kinds)

    def connect(function: F) -> F:
        made = Bridge(function, kinds, sender, kwargs.get("dispatch_uid"))
        if made.is_known():
            return function
        bridges.append(made)
        for kind in kinds:
            kind.connect(made, sender=sender, **{**kwargs, "weak": False})
        if sender is not None and any(kind in _SAVES for kind in kinds):
            _with_model(sender, _save_atomically)
        return function

    return connect


def _signals(given: Any) -> tuple[Signal, ...]:
    kinds = tuple(given) if isinstance(given, Iterable) else (given,)
    if not kinds or not all(isinstance(kind, Signal) for kind in kinds):
        raise TypeError(
            f"@bridge takes a signal or a list of them, as in @bridge(post_save, sender=Book), not {given!r}"
        )
    return kinds


def _must_be_possible(sender: Any, kinds: tuple[Signal, ...]) -> None:
    """Whoever gives Django another sender is never called, and nobody tells him."""
    if isinstance(sender, (list, tuple, set, frozenset)):
        raise TypeError(f"sender is one sender, not {sender!r}: bridge the function once for each of them")
    of_models = any(isinstance(kind, signals.ModelSignal) for kind in kinds)
    is_model = isinstance(sender, str) or (isinstance(sender, type) and issubclass(sender, Model))
    if sender is not None and of_models and not is_model:
        raise TypeError(f"sender is a model or its name, as in sender='shop.Book', not {sender!r}")


@dataclass(eq=False)
class Bridge:
    """A signal receiver whose return value becomes an event."""

    function: Callable[..., Any]
    kinds: tuple[Signal, ...]
    sender: Any
    uid: Any = None
    """Django's dispatch_uid: it connects what has the same one, the same signals and the same sender once."""

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"@bridge stands above a function, not {self.function!r}")
        # Django asks a receiver for its signature (in DEBUG) and its __qualname__ (in send_robust).
        functools.update_wrapper(self, self.function, updated=())
        self.__qualname__ = self._named.__qualname__

    def is_known(self) -> bool:
        """Whether the same bridge was made before, as where a module is imported under two names."""
        mine = (self.uid, self.kinds, self.sender)
        return bool(self.uid) and any((other.uid, other.kinds, other.sender) == mine for other in bridges)

    def __call__(self, signal: Signal, sender: Any, **kwargs: Any) -> None:
        """Receive the signal. Raises what the function raises; the open transaction is then lost."""
        if kwargs.get("raw") and signal in MODEL_SIGNALS:
            return
        using = _alias(kwargs.get("using"))
        with all_or_nothing(using):
            found = self._checked(self._call(signal=signal, sender=sender, **kwargs))
            if found:
                emit_many(found, using=using)

    def _checked(self, returned: Any) -> list[Any]:
        found = _as_list(returned)
        for item in found:
            if type(item) not in self.types:
                why = f"{self} returned a {type(item).__name__}, which its annotation does not name"
                raise _told(item, InvalidEvent(why))
        return found

    @functools.cached_property
    def _call(self) -> Callable[..., Any]:
        called = getattr(self.function, "__call__", None)  # noqa: B004 - of an object; a function's own is no coroutine
        is_async = inspect.iscoroutinefunction(self.function) or inspect.iscoroutinefunction(called)
        return async_to_sync(self.function) if is_async else self.function

    @functools.cached_property
    def types(self) -> tuple[type[Any], ...]:
        """The payload classes that the return annotation names. Raises EventbridgeError if it names none."""
        annotation = getattr(self._named, "__annotations__", {}).get("return")
        holder = SimpleNamespace(__annotations__={"return": annotation})
        try:
            hint = typing.get_type_hints(holder, globalns=getattr(self._named, "__globals__", {}))["return"]
        except (NameError, AttributeError, TypeError, SyntaxError) as error:
            raise EventbridgeError(f"{self}: the return annotation cannot be read: {error}") from error
        found = tuple(cls for cls in _classes(hint) if cls not in (type(None), ...))
        if not found or any(cls not in event_types for cls in found):
            raise EventbridgeError(f"{self}: the return annotation must name its event type, as in -> BookSaved")
        return found

    @functools.cached_property
    def _named(self) -> Any:
        """What has a name and annotations: the function behind decorators and partials, or an object's __call__."""
        found: Any = inspect.unwrap(self.function)
        while isinstance(found, functools.partial):
            found = inspect.unwrap(found.func)
        return found if hasattr(found, "__qualname__") else found.__call__

    @property
    def model(self) -> type[Model] | None:
        """The model that is its sender, if a model is."""
        found = self.sender
        if isinstance(found, str):
            with suppress(LookupError, ValueError):
                found = apps.get_model(found)
        return found if isinstance(found, type) and issubclass(found, Model) else None

    def __str__(self) -> str:
        return f"{self._named.__module__}.{self._named.__qualname__}"


def _as_list(returned: Any) -> list[Any]:
    if returned is None:
        return []
    if type(returned) in event_types:
        return [returned]
    if isinstance(returned, Iterable) and not isinstance(returned, (str, bytes, dict)):
        return [item for item in returned if item is not None]
    return [returned]


def _classes(hint: Any) -> list[Any]:
    """The classes in ``X``, ``X | None``, ``list[X]``, ``Iterator[X | Y]``, …"""
    inner = typing.get_args(hint)
    return [cls for part in inner for cls in _classes(part)] if inner else [hint]


def _with_model(sender: Any, act: Callable[[Any], None]) -> None:
    """Now, or once the model that a string names exists (as Django's own signals do)."""
    if isinstance(sender, str):
        apps.lazy_model_operation(act, make_model_tuple(sender))
    else:
        act(sender)


def _save_atomically(model: Any) -> None:
    """Make ``model.save()`` in autocommit one transaction with its signals; within one, all of it or nothing.

    Django sends post_save after the save's own transaction (django/db/models/base.py, save_base):
    a crash between the two would leave a change without its event; so would another receiver that
    raises before the bridge is asked, where somebody catches that.
    """
    original = model.save_base
    if getattr(original, "_eventbridge", None) is model:
        return

    @functools.wraps(original)
    def save_base(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = args[_USING] if len(args) > _USING else kwargs.get("using")
        using = given or router.db_for_write(type(self), instance=self)
        connection: Any = connections[using]
        if connection.in_atomic_block:
            with all_or_nothing_once_written(connection):
                return original(self, *args, **kwargs)
        if not connection.get_autocommit():
            connection.validate_no_broken_transaction()  # which atomic() forgets
        with transaction.atomic(using=using, savepoint=False):
            opened = connection.connection
            saved = original(self, *args, **kwargs)
            must_be_intact(using, opened, f"a receiver of {type(self).__name__}'s signals")
            return saved

    save_base._eventbridge = model  # type: ignore[attr-defined]  # noqa: SLF001
    model.save_base = save_base
