"""What is known of a run: plain data, which the checker judges. Times are the machine's monotonic seconds."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Run:
    """A handler at work on an event. ``over`` is when it returned or raised; None: its process ended first."""

    consumer: str
    event: str
    process: str = ""
    began: float = 0.0
    over: float | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event on the wire, as a reader that knows nothing of us has it."""

    event: str
    key: str
    n: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Deed:
    """What the driver did to a process: ``kill``, ``terminate`` or ``freeze``."""

    what: str
    process: str
    at: float


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended that was to go on: its exit code, or -signal, and the last that it said."""

    process: str
    code: int
    at: float
    output: str = ""


@dataclass
class History:
    """All that is known of a run, once it has drained. Effects are in the order in which they were made."""

    consumers: Collection[str]
    exactly_once: Collection[str]
    ordered: Collection[str]
    attempts: Mapping[str, int] = field(default_factory=dict)
    """How often each consumer attempts an event before it gives up."""
    committed: list[Committed] = field(default_factory=list)
    attempted: set[str] = field(default_factory=set)
    effects: list[Effect] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    """What the witness got, in its order."""
    nacked: set[str] = field(default_factory=set)
    """Events that the broker nacked, and that may so arrive late."""
    parked: dict[str, str] = field(default_factory=dict)
    """Events that the broker did not take, and why."""
    left: dict[str, int] = field(default_factory=dict)
    """What is still in the outbox and in each queue."""
    endings: list[Ending] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    misdeeds: list[tuple[str, str]] = field(default_factory=list)
    """What handlers did wrong, each with the process in which they did it."""
    told: list[str] = field(default_factory=list)
    """Lines of the processes' logs that have a password."""
    exits: dict[str, int] = field(default_factory=dict)
    """How each daemon ended when it was asked to, at the end."""
    fired: Counter[str] = field(default_factory=Counter)
    """How often each fault was really done, and each misdeed."""
    wanted: Collection[str] = ()
    """The faults and misdeeds that this run must have seen."""
    enough: int = 1
    """So many events must have been committed."""
