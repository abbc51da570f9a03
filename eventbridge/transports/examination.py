"""Examination: what a transport can tell the doctor of its broker. Nothing is changed for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from eventbridge.topology import Topology

if TYPE_CHECKING:
    from eventbridge.transports import Options


@dataclass(slots=True, kw_only=True)
class Examination:
    """What a broker told of itself, of a topology, and of what this user may do. Nothing was changed for it."""

    product: str = ""
    version: str = ""
    certificates_end: dict[str, float] = field(default_factory=dict)
    """Of each broker that answers, by host and port, in seconds since the epoch; empty without TLS."""
    away: dict[str, str] = field(default_factory=dict)
    """Why brokers of the list do not answer, though another one does."""
    blocked: bool = False
    """Whether it takes nothing from publishers (an alarm). What may be written is not known then."""
    missing: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    """What is there, but made otherwise: a sentence for each, which says what to do."""
    undeclarable: list[str] = field(default_factory=list)
    """What this user may not declare: a line each."""
    unwritable: list[Write] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    lost: int = 0
    """Messages in the lost queue: retries whose own queue was gone."""


@dataclass(frozen=True, slots=True)
class Write:
    """To publish to that exchange with that routing key."""

    exchange: str
    key: str


class Examine(Protocol):
    """Looks, and changes nothing. Which of ``writes`` and of the queues ``reads`` this user may not do, too."""

    def __call__(
        self, options: Options, topology: Topology, *, writes: Sequence[Write], reads: Sequence[str]
    ) -> Examination: ...
