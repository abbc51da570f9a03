"""What the witness saw: every event, and those of one key first in the order in which they were emitted."""

from collections.abc import Iterator

from tests.chaos.history import UNWANTED, Arrival, History


def unseen(history: History) -> list[str]:
    """Committed and wanted, and never on the wire."""
    seen = {arrival.event for arrival in history.arrivals}
    wanted = [event for event in history.committed if event.does != UNWANTED]
    return [f"on the wire {event.event} {event.key}/{event.n}" for event in wanted if event.event not in seen]


def overtaken(history: History) -> list[str]:
    """First arrivals after a later one of their key. What the broker nacked has left the order."""
    latest: dict[str, Arrival] = {}
    found = []
    for arrival in _first(history):
        last = latest.setdefault(arrival.key, arrival)
        if arrival.n < last.n or arrival.sequence < last.sequence:
            found.append(f"on the wire {_told(arrival)} came after {_told(last)}")
        else:
            latest[arrival.key] = arrival
    return found


def _first(history: History) -> Iterator[Arrival]:
    seen = set(history.nacked)
    for arrival in history.arrivals:
        if arrival.event not in seen:
            seen.add(arrival.event)
            yield arrival


def _told(arrival: Arrival) -> str:
    return f"{arrival.key}/{arrival.n} (sequence {arrival.sequence})"
