"""Consumer: a name, its handlers, its policy. No Django here: a declaration, nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar, overload

from eventbridge.event import Event, event_type_of
from eventbridge.topology import matches

T = TypeVar("T")
_LONGEST_NAME = 200
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
    * ``timeout``: a handler that runs longer is reported and its process restarted.
    * ``database``: the alias that holds this consumer's inbox and dead letters.
    """

    name: str
    _: KW_ONLY
    atomic: bool = True
    concurrency: int = 1
    batch: int = 1
    retries: tuple[float, ...] = (5, 30, 300, 3600)
    ordered: bool = False
    timeout: float = 300.0
    database: str = "default"
    handlers: dict[str, Handler] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.retries = tuple(sorted(self.retries))
        for problem in self._problems():
            raise ValueError(f"Consumer({self.name!r}): {problem}")

    def _problems(self) -> Iterable[str]:
        if not self.name or len(self.name.encode()) > _LONGEST_NAME or "\x00" in self.name:
            yield f"the name is a queue's name: 1 to {_LONGEST_NAME} bytes of text"
        if self.name.startswith(("amq.", "eventbridge.")):
            yield "names that begin with 'amq.' or 'eventbridge.' are reserved"
        if self.concurrency < 1 or self.batch < 1:
            yield "concurrency and batch are at least 1"
        if self.timeout <= 0 or any(delay <= 0 for delay in self.retries):
            yield "timeout and every rung of retries are seconds above 0"

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
        key = what if isinstance(what, str) else event_type_of(what).name

        def register(function: Any) -> Any:
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
