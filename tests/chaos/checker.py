"""What was committed, against what took effect: pure functions over plain data.

The buckets have the names that testers of brokers use: **lost** (committed, without effect and without a dead
letter), **ghost** (rolled back, yet delivered), **alien** (never attempted, yet delivered).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from tests.chaos.endings import fell
from tests.chaos.history import UNWANTED, History
from tests.chaos.letters import wrongly_dead
from tests.chaos.wire import overtaken, unseen


def check(history: History) -> dict[str, list[str]]:
    """Everything that is wrong, by the promise that it breaks. No entries: the run held."""
    found = {
        "lost": lost(history) + unseen(history),
        "twice": twice(history),
        "ghost": ghosts(history),
        "alien": aliens(history),
        "misordered": misordered(history) + overtaken(history),
        "dead": wrongly_dead(history),
        "parked": wrongly_parked(history),
        "left": [f"{place}: {count}" for place, count in history.left.items() if count],
        "fell": fell(history),
        "told": history.told,
        "stopped": [f"{name} ended with {code}" for name, code in history.exits.items() if code],
        "vacuous": vacuous(history),
    }
    return {bucket: problems for bucket, problems in found.items() if problems}


def lost(history: History) -> list[str]:
    """Committed, and nothing came of it in some consumer."""
    arrived = {(e.consumer, e.event) for e in history.effects} | {(d.consumer, d.event) for d in history.dead}
    return [
        f"{consumer} {event.event} {event.key}/{event.n}"
        for event in history.committed
        for consumer in history.consumers
        if event.does != UNWANTED
        if (consumer, event.event) not in arrived
    ]


def twice(history: History) -> list[str]:
    """More than one effect, or an effect and a dead letter, where exactly one was promised."""
    counts = Counter((e.consumer, e.event) for e in history.effects)
    dead = {(d.consumer, d.event) for d in history.dead}
    return [
        f"{consumer} {event}: {count} effects{' and a dead letter' * ((consumer, event) in dead)}"
        for (consumer, event), count in counts.items()
        if consumer in history.exactly_once and (count > 1 or (consumer, event) in dead)
    ]


def ghosts(history: History) -> list[str]:
    """Attempted, not committed, and delivered nevertheless."""
    return [event for event in _delivered_without_commit(history) if event in history.attempted]


def aliens(history: History) -> list[str]:
    """Never attempted by anybody, and delivered."""
    return [event for event in _delivered_without_commit(history) if event not in history.attempted]


def _delivered_without_commit(history: History) -> list[str]:
    committed = {event.event for event in history.committed}
    return sorted(_delivered(history) - committed)


def _delivered(history: History) -> set[str]:
    begun = {run.event for run in history.runs}
    return begun | set(history.parked) | {e.event for e in history.effects} | {d.event for d in history.dead}


def misordered(history: History) -> list[str]:
    """Effects of one key in another order than that of its transactions, where order was promised."""
    last: dict[tuple[str, str], int] = defaultdict(int)
    found = []
    for effect in history.effects:
        lane = effect.consumer, effect.key
        if effect.consumer in history.ordered:
            if effect.n < last[lane]:
                found.append(f"{effect.consumer} {effect.key}/{effect.n} came after {effect.key}/{last[lane]}")
            last[lane] = max(last[lane], effect.n)
    return found


def wrongly_parked(history: History) -> list[str]:
    """What the broker should have taken, and what it should not have."""
    due = {event.event for event in history.committed if event.does == UNWANTED}
    missing = [f"{event}: should be parked" for event in due if event not in history.parked]
    return missing + [f"{event}: {why}" for event, why in history.parked.items() if event not in due]


def vacuous(history: History) -> list[str]:
    """Reasons to believe that the run proved nothing."""
    too_few = f"{len(history.committed)} events were committed, fewer than {history.enough}"
    idle = [name for name in history.consumers if not any(effect.consumer == name for effect in history.effects)]
    return [
        *([too_few] if len(history.committed) < history.enough else []),
        *_never(history.wanted, history.fired),
        *(f"{name} did nothing" for name in idle),
    ]


def _never(wanted: Iterable[str], fired: Mapping[str, int]) -> list[str]:
    return [f"{what} never happened" for what in wanted if not fired.get(what)]
