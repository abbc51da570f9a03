"""What was published, said as assertions; where one fails it tells what was published instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields as fields_of
from itertools import takewhile
from typing import Any, TypeVar, overload

from eventbridge.event import Event, event_types
from eventbridge.testing.captured import captured_events, pattern_of
from eventbridge.topology import matches

T = TypeVar("T")
_MOST, _LONGEST = 20, 60
_MISSING = object()


@overload
def assert_published(what: type[T], /, **fields: Any) -> Event[T]: ...
@overload
def assert_published(what: str, /, **fields: Any) -> Event[Any]: ...
def assert_published(what: Any, /, **fields: Any) -> Event[Any]:
    """Assert that an event of that type was published, with these values in its data; return the last such.

    ``what`` is an event type's class or a topic pattern. A value is compared with ``==``, so that
    ``unittest.mock.ANY`` and ``pytest.approx`` work. Looks at what ``captured_events`` returns:
    published means emitted in a transaction that was not rolled back.

    Raises AssertionError that tells the nearest event and what else there was, and TypeError for a
    field that the type does not have.
    """
    __tracebackhide__ = True
    found = _fitting(what, fields)
    if not found:
        raise AssertionError(_not_found(what, fields))
    return found[-1]


@overload
def assert_published_once(what: type[T], /, **fields: Any) -> Event[T]: ...
@overload
def assert_published_once(what: str, /, **fields: Any) -> Event[Any]: ...
def assert_published_once(what: Any, /, **fields: Any) -> Event[Any]:
    """As ``assert_published``, and that there was one such event, no more; return it."""
    __tracebackhide__ = True
    found = _fitting(what, fields)
    if not found:
        raise AssertionError(_not_found(what, fields))
    if len(found) > 1:
        raise AssertionError(_lines(f"{_wanted(what, fields)} was published {len(found)} times:", found))
    return found[0]


def assert_not_published(what: type[Any] | str = "#", /, **fields: Any) -> None:
    """Assert that no event of that type was published with these values; by default, that none was at all.

    Takes what ``assert_published`` takes, and raises what it raises.
    """
    __tracebackhide__ = True
    found = _fitting(what, fields)
    if found:
        raise AssertionError(_lines(f"{_wanted(what, fields)} was published:", found))


def _fitting(what: Any, fields: dict[str, Any]) -> list[Event[Any]]:
    _must_have(what, fields)
    return [event for event in captured_events(what) if not _differing(event, fields)]


def _must_have(what: Any, fields: dict[str, Any]) -> None:
    """Or a misspelt field would make assert_not_published always true."""
    pattern = pattern_of(what)
    payloads: list[Any] = [kind.payload for kind in event_types.values() if matches(pattern, kind.name)]
    known = list(dict.fromkeys(field.name for payload in payloads for field in fields_of(payload)))
    unknown = [name for name in fields if payloads and name not in known]
    if unknown:
        raise TypeError(f"{_name(what)} has no field {unknown[0]!r}; it has {', '.join(known)}")


def _value(event: Event[Any], name: str) -> Any:
    if isinstance(event.data, dict):
        return event.data.get(name, _MISSING)
    return getattr(event.data, name, _MISSING)


def _differing(event: Event[Any], fields: dict[str, Any]) -> list[str]:
    return [name for name, wanted in fields.items() if not _value(event, name) == wanted]  # noqa: SIM201 - ANY, approx


# --- what a failure says -----------------------------------------------------------------------


def _not_found(what: Any, fields: dict[str, Any]) -> str:
    everything, candidates = captured_events(), captured_events(what)
    if not everything:
        return f"{_wanted(what, fields)} was not published: nothing was (or it was rolled back)."
    parts = [f"{_wanted(what, fields)} was not published."]
    if candidates:
        nearest = min(reversed(candidates), key=lambda event: len(_differing(event, fields)))
        parts += ["", "The nearest:" if len(candidates) == 1 else f"The nearest of {len(candidates)}:"]
        parts += [f"  {_shown(nearest)}", *_differences(nearest, fields)]
    return _lines("\n".join([*parts, "", "Published, in this order:"]), everything)


def _differences(event: Event[Any], fields: dict[str, Any]) -> list[str]:
    lines = []
    for name in _differing(event, fields):
        wanted, was = _apart(fields[name], _value(event, name))
        lines += [f"    {name}: expected {wanted}", f"    {'':{len(name)}}  but was  {was}"]
    return lines


def _apart(wanted: Any, was: Any) -> tuple[str, str]:
    """Two values as text in which the difference can be seen."""
    if was is _MISSING:
        return repr(wanted), "not there"
    left, right = repr(wanted), repr(was)
    if left == right:
        return f"{left} ({type(wanted).__name__})", f"{right} ({type(was).__name__})"
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
    cut = max(0, same - _LONGEST // 2) if max(len(left), len(right)) > _LONGEST else 0
    return _part(left, cut), _part(right, cut)


def _part(text: str, start: int) -> str:
    shown = text[start : start + _LONGEST] if start else text[: 2 * _LONGEST]
    return f"{'…' if start else ''}{shown}{'…' if len(text) > start + len(shown) else ''}"


def _lines(first: str, events: Sequence[Event[Any]]) -> str:
    shown = [f"  {_shown(event)}" for event in events[:_MOST]]
    more = [f"  … and {len(events) - _MOST} more"] if len(events) > _MOST else []
    return "\n".join([first, *shown, *more])


def _shown(event: Event[Any]) -> str:
    known = type(event.data) in event_types
    return _part(repr(event.data) if known else f"{event.type} {event.data!r}", 0)


def _wanted(what: Any, fields: dict[str, Any]) -> str:
    values = ", ".join(f"{name}={_part(repr(value), 0)}" for name, value in fields.items())
    return f"{_name(what)}({values})" if fields else _name(what)


def _name(what: Any) -> str:
    return repr(what) if isinstance(what, str) else str(what.__name__)
