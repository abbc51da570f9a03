"""What is done to whom and when: a pure function of the seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

DAEMONS = {
    "relay-1": ("relay",),
    "relay-2": ("relay",),
    "atomic-1": ("consume", "atomic"),
    "atomic-2": ("consume", "atomic", "batch"),
    "mixed-1": ("consume", "ordered", "outside"),
    "mixed-2": ("consume", "ordered", "batch", "outside"),
}
"""Two of everything, and processes that share consumers as well as consumers that share a process."""
PRODUCERS = ("producer-1", "producer-2")
_RELAYS = tuple(name for name, command in DAEMONS.items() if command[0] == "relay")
_CONSUMERS = tuple(name for name, command in DAEMONS.items() if command[0] == "consume")
_ROLES = {"relay": _RELAYS, "consumers": _CONSUMERS, "producer": PRODUCERS}

FREEZE = (5.0, 8.0)  # longer than the relay's lease, the embedded broker's, and two heartbeats
_SIGNALS = {"kill": (0.0, 0.0), "terminate": (0.0, 0.0), "freeze": FREEZE}
_BROKER = {
    "restart": (0.0, 0.0),
    "power cut": (0.5, 2.0),
    "stop_app": (1.0, 4.0),
    "freeze": FREEZE,
    "alarm": (2.0, 5.0),
}
_POSTGRESQL = {"restart": (0.0, 0.0), "power cut": (0.5, 2.0), "close connections": (0.0, 0.0), "freeze": (2.0, 4.0)}
_SQLITE = {"lock": (1.0, 4.0)}
_NETWORK = {
    "cut": (0.0, 0.0),
    "refuse": (1.0, 4.0),
    "delay": (2.0, 5.0),
    "hold to server": FREEZE,
    "hold to client": FREEZE,
    "swallow to server": (2.0, 4.0),
    "swallow to client": (2.0, 4.0),
}
_GAP = 2.6
_SHORTEST_GAP = 1.2  # what is never left alone does nothing that could go wrong
_BEGIN = 1.0


@dataclass(frozen=True)
class Fault:
    """At ``at`` seconds, do ``what`` to ``target``; undo it after ``seconds``."""

    at: float
    kind: str
    what: str
    target: str
    seconds: float

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:7.2f} s  {self.what} {self.target}{lasting}"


def kinds(
    broker: str, database: str, *, ours: bool = True
) -> dict[str, tuple[str, tuple[str, ...], tuple[float, float]]]:
    """Every kind of fault in such a world: what is done, the targets to choose from, and the range of seconds.

    ``ours``: whether the servers were started by us, and may be stopped and frozen.
    """
    found = {f"{what} {role}": (what, names, long) for role, names in _ROLES.items() for what, long in _SIGNALS.items()}
    servers = [("broker", _BROKER)] if broker == "amqp" else []
    servers += [("database", _POSTGRESQL)] if database == "postgresql" else []
    for server, faults in servers:
        chosen = faults if ours else {}
        found |= {f"{what} {server}": (what, (server,), long) for what, long in chosen.items()}
        target = f"{server} link"
        found |= {f"{what} {target}": (what, (target,), long) for what, long in _NETWORK.items()}
    if database == "sqlite":
        found |= {f"{what} database": (what, ("database",), long) for what, long in _SQLITE.items()}
    return found


def plan(seed: str, seconds: float, broker: str, database: str, *, ours: bool = True) -> list[Fault]:
    """The faults of such a run, in order. Every kind comes once before any comes twice."""
    chance = random.Random(f"{seed}/{broker}/{database}")
    there_are = kinds(broker, database, ours=ours)
    gap = max(_SHORTEST_GAP, min(_GAP, (seconds - _BEGIN) / (len(there_are) + 1)))
    deck = _deck(chance, sorted(there_are))
    faults, at = [], _BEGIN
    while at < seconds:
        kind = next(deck)
        what, targets, (shortest, longest) = there_are[kind]
        faults.append(Fault(at, kind, what, chance.choice(targets), chance.uniform(shortest, longest)))
        at += gap * chance.uniform(0.3, 1.7)
    return faults


def _deck(chance: random.Random, cards: list[str]) -> Iterator[str]:
    while True:
        chance.shuffle(cards)
        yield from cards
