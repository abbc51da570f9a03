"""Every error eventbridge raises, and the two that a handler raises to steer its delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventbridge.transports import Outcome


class EventbridgeError(Exception):
    """Something in eventbridge went wrong."""


class InvalidEvent(EventbridgeError, ValueError):
    """An event does not fit its type, or is too large. The message names the field."""


class MalformedMessage(EventbridgeError, ValueError):
    """A message that arrived is no event that this consumer can read. Never retried."""


class Unavailable(EventbridgeError, ConnectionError):
    """The broker cannot be reached, or did not answer in time. Nobody's fault: try again later.

    ``outcomes`` holds what was known of a batch when the link was lost: one entry per message,
    ``None`` where the broker had not answered. It is empty when nothing was sent.
    """

    outcomes: Sequence[Outcome | None] = ()

    def __init__(self, why: str, outcomes: Sequence[Outcome | None] = ()) -> None:
        super().__init__(why)
        self.outcomes = outcomes


class RolledBack(EventbridgeError):
    """A transaction was rolled back under its owner, who did not notice. The message says by whom."""


class TopologyMismatch(EventbridgeError):
    """What the broker holds differs from what the consumers need. The message says what to do."""


class Reject(EventbridgeError):
    """Raise in a handler: this event can never be handled. It becomes a dead letter at once."""


class Retry(EventbridgeError):
    """Raise in a handler: not now. The event comes back ``after`` that many seconds.

    ``after`` is rounded up to the consumer's next rung (to the longest one, if it is longer than that),
    and an attempt is charged. ``None`` means the rung that comes next anyway.
    """

    def __init__(self, why: str = "", *, after: float | None = None) -> None:
        super().__init__(why or "the handler asked for another attempt")
        self.after = after
