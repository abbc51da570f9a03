"""What was committed, against what took effect: pure functions over plain data.

The buckets have the names that testers of brokers use: **lost** (committed, without effect and without a dead
letter), **ghost** (rolled back, yet delivered), **alien** (never attempted, yet delivered).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

REASONS = {"poison": "crashed", "fail": "failed", "reject": "rejected"}
"""What must become a dead letter, and with which reason."""
UNWANTED = "unwanted"
"""What no consumer wants, and must be parked."""


@dataclass(frozen=True, slots=True)
class Committed:
    """An event of the Ledger. Consumer ``to`` misbehaves over it as ``does`` says."""

    event: str
    key: str
    n: int
    does: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a consumer did for an event."""

    consumer: str
    event: str
    key: str = ""
    n: int = 0


@dataclass(frozen=True, slots=True)
class Dead:
    """A dead letter."""

    consumer: str
    event: str
    reason: str
    attempts: int


@dataclass
class History:
    """All that is known of a run, once it has drained. Effects are in the order in which they were made."""

    consumers: Collection[str]
    exactly_once: Collection[str]
    ordered: Collection[str]
    committed: list[Committed] = field(default_factory=list)
    attempted: set[str] = field(default_factory=set)
    effects: list[Effect] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    begun: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often a consumer's handler began on an event."""
    parked: dict[str, str] = field(default_factory=dict)
    """Events that the broker did not take, and why."""
    left: dict[str, int] = field(default_factory=dict)
    """What is still in the outbox and in each queue."""
    exits: dict[str, int] = field(default_factory=dict)
    """How each daemon ended when it was asked to, at the end."""
    fired: Mapping[str, int] = field(default_factory=dict)
    """How often each fault was really done, and each misdeed."""
    wanted: Collection[str] = ()
    """The faults and misdeeds that this run must have seen."""
    enough: int = 1
    """So many events must have been committed."""


def check(history: History) -> dict[str, list[str]]:
    """Everything that is wrong, by the promise that it breaks. No entries: the run held."""
    found = {
        "lost": lost(history),
        "twice": twice(history),
        "ghost": ghosts(history),
        "alien": aliens(history),
        "misordered": misordered(history),
        "dead": wrongly_dead(history),
        "parked": wrongly_parked(history),
        "left": [f"{place}: {count}" for place, count in history.left.items() if count],
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
    begun = {event for _, event in history.begun}
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


def wrongly_dead(history: History) -> list[str]:
    """Dead letters that nobody asked for, and those that are missing."""
    due = {(e.to, e.event): REASONS[e.does] for e in history.committed if e.does in REASONS}
    dead = {(d.consumer, d.event) for d in history.dead}
    missing = [f"{consumer} {event}: should be {why}" for (consumer, event), why in due.items()
               if (consumer, event) not in dead]  # fmt: skip
    return missing + [
        f"{d.consumer} {d.event}: {d.reason} after {d.attempts} attempts, of which {begun(history, d)} began"
        for d in history.dead
        if due.get((d.consumer, d.event)) != d.reason and not killed_often_enough(history, d)
    ]


def wrongly_parked(history: History) -> list[str]:
    """What the broker should have taken, and what it should not have."""
    due = {event.event for event in history.committed if event.does == UNWANTED}
    missing = [f"{event}: should be parked" for event in due if event not in history.parked]
    return missing + [f"{event}: {why}" for event, why in history.parked.items() if event not in due]


def killed_often_enough(history: History, dead: Dead) -> bool:
    """Whether the handler did begin as often as the letter says that its process died: bad luck, honestly counted."""
    return dead.reason == "crashed" and begun(history, dead) >= dead.attempts


def begun(history: History, dead: Dead) -> int:
    return history.begun[dead.consumer, dead.event]


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
