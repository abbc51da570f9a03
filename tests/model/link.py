"""What eventbridge's publisher uses of py-amqp, with the model's broker at the other end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from amqp.exceptions import PreconditionFailed

from eventbridge.topology import EVENTS
from tests.model.broker import Broker, Stored
from tests.model.frames import published

REFUSED = "model.refused.v1"
"""The broker closes the channel over every event of this type."""

FAULTS = (
    *("fine", "nacks", "is silent", "answers late", "answers together"),
    *("cuts the link", "takes it and cuts the link", "hangs up"),
)
"""What a broker may do to a message. Where it cuts the link its answers under way are lost; where it hangs up, not."""


class Link:
    """Stands where eventbridge's own Link does: makes connections, and throws them away."""

    blocked = False

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._connection: Connection | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        yield

    def connection(self, until: float) -> Connection:
        self._connection = self._connection or Connection(self._broker)
        return self._connection

    def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.forget()

    def close(self, deadline: float) -> None:
        self.drop()


class Connection:
    """The broker reads what is written at once, and answers in frames, to be read."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.frames: deque[Callable[[], None]] = deque()
        self.lost = False
        self.frame_max = 4096
        self.transport = SimpleNamespace(write=self._write)
        self._channel: Channel | None = None

    def channel(self) -> Channel:
        self.forget()
        self._channel = Channel(self)
        return self._channel

    def blocking_read(self, timeout: float) -> None:
        if self.frames:
            self.frames.popleft()()
        elif self.lost:
            raise ConnectionResetError("the link was lost")
        else:
            if self._channel is not None:
                self._channel.answer_at_last()
            raise TimeoutError

    def forget(self) -> None:
        """What the broker took and nobody heard of is in doubt from now on."""
        if self._channel is not None:
            self.broker.unheard.update(self._channel.unheard.values())
            self._channel = None

    def _write(self, chunk: bytes) -> None:
        if self._channel is not None:
            self._channel.hear(chunk)


class Channel:
    """A channel in confirm mode, with both ends."""

    channel_id = 1

    def __init__(self, connection: Connection) -> None:
        self.events: dict[str, set[Callable[..., None]]] = {
            name: set() for name in ("basic_ack", "basic_nack", "basic_return")
        }
        self.unheard: dict[int, str] = {}
        self._connection = connection
        self._tag, self._open, self._confirms = 0, True, False
        self._late: list[int] = []
        self._owed: list[int] = []
        self._silent: list[int] = []

    def confirm_select(self) -> None:
        self._confirms = True

    def close(self) -> None:
        self._open = False

    def hear(self, chunk: bytes) -> None:
        """The broker reads what was published."""
        for message, mandatory in published(chunk):
            self._tag += 1
            if self._open and not self._connection.lost:
                self._meet(message, mandatory, self._fault())
        late, self._late, self._owed = self._owed + self._late, [], []
        for tag in late:
            self._answer(tag)

    def answer_at_last(self) -> None:
        """What the broker was silent about it answers when nobody waits any more."""
        silent, self._silent = self._silent, []
        for tag in silent:
            self._answer(tag)

    def _fault(self) -> str:
        faults = self._connection.broker.faults
        return faults.popleft() if faults else "fine"

    def _meet(self, message: Stored, mandatory: bool, fault: str) -> None:
        if message.routing_key == REFUSED:
            self._refuse()
        elif fault == "nacks":
            self._connection.broker.nacked.add(message.id)
            self._say("basic_nack", self._tag, False)
        elif fault in ("cuts the link", "hangs up"):
            self._cut(fault)
        else:
            self._take(message, mandatory, fault)

    def _take(self, message: Stored, mandatory: bool, fault: str) -> None:
        routed = self._connection.broker.take(message)
        if message.exchange == EVENTS:
            self.unheard[self._tag] = message.id
        if fault == "takes it and cuts the link":
            return self._cut(fault)
        if not routed and mandatory:
            returned = SimpleNamespace(properties=message.properties)
            self._say("basic_return", "NO_ROUTE", message.exchange, message.routing_key, returned)
        if fault == "is silent":
            self._silent.append(self._tag)
        elif fault == "answers late":
            self._late.append(self._tag)
        elif fault == "answers together":
            self._owed.append(self._tag)
        else:
            self._answer_up_to(self._tag)
        return None

    def _cut(self, fault: str) -> None:
        self._connection.lost = True
        if fault != "hangs up":
            self._connection.frames.clear()

    def _refuse(self) -> None:
        self._open = False

        def closed() -> None:
            raise PreconditionFailed("PRECONDITION_FAILED - larger than this broker takes", (60, 40))

        self._connection.frames.append(closed)

    def _answer_up_to(self, tag: int) -> None:
        """One frame for all, where nothing else below it is still to be answered."""
        owed, self._owed = self._owed, []
        if owed and not self._late and not self._silent:
            self._answer(tag, multiple=True)
        else:
            for one in [*owed, tag]:
                self._answer(one)

    def _answer(self, tag: int, *, multiple: bool = False) -> None:
        if self._confirms and self._open and not self._connection.lost:
            self._say("basic_ack", tag, multiple)

    def _say(self, event: str, *arguments: Any) -> None:
        def hear() -> None:
            if event == "basic_ack":
                tag, multiple = arguments
                for heard in [t for t in self.unheard if t == tag or (multiple and t < tag)]:
                    del self.unheard[heard]
            for listener in self.events[event]:
                listener(*arguments)

        self._connection.frames.append(hear)
