"""Link: a py-amqp connection for publishing, kept alive while idle, thrown away when in doubt."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic

import amqp
from amqp import spec

from eventbridge.errors import Unavailable
from eventbridge.transports import Options
from eventbridge.transports.rabbitmq.connection import LINK_ERRORS, certificate_ends, connect

_GLANCE = 0.01
_GOODBYE = 1.0


class Link:
    """At most one connection at a time, made when it is first needed.

    Threads take turns (:meth:`turn`); :meth:`connection` and :meth:`drop` are for whoever has it.
    A daemon thread sends heartbeats and listens for the broker's between turns.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.blocked = False
        """Whether the broker has said that it takes nothing from publishers (an alarm)."""
        self.certificate_ends: float | None = None
        """When the certificate expires that the last broker showed (seconds since the epoch)."""
        self._turn = threading.Lock()
        self._closed = threading.Event()
        self._connection: amqp.Connection | None = None
        self._process = os.getpid()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have the link to oneself. Raises Unavailable if others keep it for ``confirm_timeout``."""
        if not self._turn.acquire(timeout=self.options.confirm_timeout):
            raise Unavailable("another thread is waiting for the broker")
        try:
            yield
        finally:
            self._turn.release()

    def connection(self, until: float) -> amqp.Connection:
        """The connection, or a new one where it was lost meanwhile. Raises Unavailable.

        What py-amqp waits for without a limit of its own (replies, room to write) ends at ``until``.
        """
        if self._closed.is_set():
            raise Unavailable("the publisher is closed")
        if self._process != os.getpid():
            # A fork shares its parent's socket: forget it, never shut it down.
            self._process, self._connection = os.getpid(), None
        self._listen()
        if self._connection is None:
            self._connection = self._connect()
        self._connection.sock.settimeout(max(until - monotonic(), _GLANCE))
        return self._connection

    def _connect(self) -> amqp.Connection:
        self.blocked = False
        events = {"on_blocked": self._on_blocked, "on_unblocked": self._on_unblocked}
        connection = connect(self.options, "publisher", events)
        self.certificate_ends = certificate_ends(connection)
        if self.options.heartbeat:
            arguments = (connection, self.options.heartbeat / 3)
            threading.Thread(target=self._beat, args=arguments, name="eventbridge-heartbeat", daemon=True).start()
        return connection

    def _on_blocked(self, _reason: str) -> None:
        self.blocked = True

    def _on_unblocked(self) -> None:
        self.blocked = False

    def _beat(self, connection: amqp.Connection, pause: float) -> None:
        """In a thread of its own, as long as the connection lives: heartbeats between turns."""
        while not self._closed.wait(pause) and self._connection is connection:
            if self._turn.acquire(blocking=False):
                try:
                    self._listen(tick=True)
                finally:
                    self._turn.release()

    def _listen(self, *, tick: bool = False) -> None:
        """Read what has come while nobody waited: heartbeats, alarms, the end of the link.

        Nothing is under way here, so a lost link costs nobody an error: it is made anew.
        """
        connection = self._connection
        if connection is None:
            return
        try:
            while _readable(connection.sock):
                connection.blocking_read(_GLANCE)
            if tick:
                connection.heartbeat_tick()
        except TimeoutError:
            pass
        except LINK_ERRORS:
            self.drop()

    def drop(self) -> None:
        """Throw the connection away without a word: a goodbye to a blocked broker waits for ever."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(*LINK_ERRORS):
            if connection.connected:
                connection.sock.settimeout(0)  # TLS would wait for the other side's goodbye
        connection.collect()

    def close(self, deadline: float) -> None:
        """Say goodbye if the broker listens; be gone within ``deadline`` seconds in any case."""
        until = monotonic() + deadline
        self._closed.set()
        if not self._turn.acquire(timeout=max(deadline - _GOODBYE, 0)):
            return self._break()
        try:
            if self._connection is not None and not self.blocked:
                self._say_goodbye(self._connection, min(until, monotonic() + _GOODBYE))
        finally:
            self.drop()
            self._turn.release()
        return None

    def _say_goodbye(self, connection: amqp.Connection, until: float) -> None:
        """As ``Connection.close`` does, which has no time limit (amqp/connection.py)."""
        with suppress(*LINK_ERRORS):
            connection.is_closing = True
            connection.send_method(spec.Connection.Close, "BsBB", (200, "", 0, 0))
            while connection.connected and (left := until - monotonic()) > 0:
                connection.blocking_read(left)

    def _break(self) -> None:
        """Another thread is waiting for the broker: let it wait no longer."""
        connection = self._connection
        if connection is not None and connection.connected:
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()  # select.select knows no file descriptor above 1,023
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
