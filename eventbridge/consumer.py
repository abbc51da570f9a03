"""Consumer: a name, its handlers, its policy. No Django here: a declaration, nothing runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar, overload

from eventbridge.event import Event, event_type_of
from eventbridge.topology import matches

T = TypeVar("T")
_LONGEST_NAME = 200
_NEVER_REDACTED = frozenset({"id", "source", "type", "specversion"})
H = TypeVar("H", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Handler:
    """One function, the binding key it asked for, and the class that its ``data`` becomes."""

    function: Callable[[Event[Any]], Any]
    key: str
    payload: type[Any] | None


@dataclass(eq=False)
class Consumer:
    """A queue and the handlers that drain it.

    ``name`` is the queue's name, and this consumer's identity in the inbox: renaming it makes it
    a new consumer. Times are in seconds.

    * ``atomic``: the handler's database work and the inbox row commit together, exactly once per
      event. ``False``, for email and other outside work: no transaction is open while the handler
      runs, and an event may be handled again after a crash.
    * ``concurrency``: handlers that run at a time, in threads of one process.
    * ``batch``: up to so many ready events share one transaction.
    * ``retries``: the rungs of the ladder; after the last one a failing event is a dead letter.
    * ``ordered``: events are handled one at a time in order of arrival, by one process at a time;
      rungs are waited in place.
    * ``timeout``: a handler that runs longer is reported and its process restarted. None: no limit,
      but for RabbitMQ's own, 30 minutes.
    * ``database``: the alias that holds this consumer's inbox and dead letters.
    * ``redact``: fields whose values are told nowhere: bodies are shown without them, and of what a
      handler raises only the class and the place are kept.
    """

    name: str
    _: KW_ONLY
    atomic: bool = True
    concurrency: int = 1
    batch: int = 1
    retries: tuple[float, ...] = (5, 30, 300, 3600)
    ordered: bool = False
    timeout: float | None = 300.0
    database: str = "default"
    redact: tuple[str, ...] = ()
    handlers: dict[str, Handler] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ValueError(f"Consumer({self.name!r}): {problem}")
        self.retries = tuple(sorted(self.retries))
        self.redact = tuple(self.redact)

    def _problems(self) -> Iterable[str]:
        retries: Any = self.retries  # whatever somebody wrote
        if not isinstance(retries, (tuple, list)) or not all(map(_is_seconds, retries)):
            yield "retries is a tuple of seconds above 0, such as (5, 30, 300)"
        if self.timeout is not None and not _is_seconds(self.timeout):
            yield "timeout is seconds above 0, or None"
        if not (_is_whole(self.concurrency) and _is_whole(self.batch)):
            yield "concurrency and batch are whole numbers of at least 1"
        if not self.name or len(self.name.encode()) > _LONGEST_NAME or not self.name.isprintable():
            yield f"the name is a queue's name: 1 to {_LONGEST_NAME} bytes of printable text"
        if self.name.startswith(("amq.", "eventbridge.")):
            yield "names that begin with 'amq.' or 'eventbridge.' are reserved"
        redact: Any = self.redact
        if not isinstance(redact, (tuple, list)) or not all(isinstance(name, str) and name for name in redact):
            yield "redact is a tuple of names of fields, such as ('author_email',)"
        elif found := _NEVER_REDACTED.intersection(redact):
            yield f"redact names {', '.join(sorted(found))}, by which a dead letter is found"

    @property
    def keys(self) -> tuple[str, ...]:
        """The binding keys its handlers ask for."""
        return tuple(self.handlers)

    @property
    def prefetch(self) -> int:
        """Deliveries held at a time: enough that no thread waits, and one where order counts."""
        return 1 if self.ordered else 2 * max(self.concurrency, self.batch)

    @overload
    def handles(self, what: type[T]) -> Callable[[Callable[[Event[T]], Any]], Callable[[Event[T]], Any]]: ...
    @overload
    def handles(self, what: str) -> Callable[[H], H]: ...
    def handles(self, what: type[Any] | str) -> Any:
        """Register a handler for an event type, or for a topic pattern (``"bookstore.book.#"``).

        In a pattern ``*`` is exactly one word and ``#`` zero or more; ``event.data`` is then plain
        JSON (dict, list, str, …). An exact type wins over a pattern, an earlier pattern over a
        later one: each event runs one handler. Raises ``ValueError`` where there is one already.
        """
        if inspect.isfunction(what):
            raise TypeError("@consumer.handles takes what it handles: @consumer.handles(BookPublished)")
        key = what if isinstance(what, str) else event_type_of(what).name

        def register(function: Any) -> Any:
            _must_take_an_event(function)
            if key in self.handlers:
                raise ValueError(f"Consumer({self.name!r}) already handles {key!r}; use another Consumer")
            self.handlers[key] = Handler(function, key, None if isinstance(what, str) else what)
            return function

        return register

    def handler_for(self, name: str) -> Handler | None:
        """The handler for events of that type name, if there is one."""
        exact = self.handlers.get(name)
        if exact is not None:
            return exact
        patterns = (h for key, h in self.handlers.items() if h.payload is None and matches(key, name))
        return next(patterns, None)

    def rung(self, attempt: int, asked: float | None = None) -> float | None:
        """Seconds until the next attempt after number ``attempt`` failed; None: dead letter.

        ``asked`` is what ``Retry(after=…)`` wants: rounded up to a declared rung.
        """
        if attempt > len(self.retries):
            return None
        if asked is None:
            return self.retries[attempt - 1]
        return next((delay for delay in self.retries if delay >= asked), self.retries[-1])


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and value > 0


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and value >= 1


def _must_take_an_event(function: Callable[..., Any]) -> None:
    try:
        inspect.signature(function).bind(object())
    except TypeError as error:
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(f"a handler is called with the event and nothing else: {name}() has {error}") from None


def consumers_in(modules: Iterable[str]) -> list[Consumer]:
    """The consumers that these modules define, by their dotted names, in order.

    Raises ``LookupError`` for a module that cannot be found, defines none, or repeats a name.
    """
    found: dict[str, Consumer] = {}
    for name in modules:
        own = [value for value in vars(_module(name)).values() if isinstance(value, Consumer)]
        if not own:
            raise LookupError(f"module {name!r} defines no Consumer: write consumer = Consumer('…') in it")
        for consumer in own:
            if found.setdefault(consumer.name, consumer) is not consumer:
                raise LookupError(f"two consumers are named {consumer.name!r}, one of them in {name!r}")
    return list(found.values())


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise LookupError(f"there is no module {name!r} (consumers are named like 'consumers.email')") from error
        raise
