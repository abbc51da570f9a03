"""Process life: start, signals, heartbeat, health, drain within a deadline, exit code."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from django.db import DatabaseError, InterfaceError, connections, reset_queries

from eventbridge import telemetry
from eventbridge.health import Health
from eventbridge.models import Heartbeat, Hold
from eventbridge.outage import forget_broken_connection
from eventbridge.relay import Relay
from eventbridge.server import HealthServer
from eventbridge.systemd import Supervisor
from eventbridge.transports import Publisher

logger = logging.getLogger("eventbridge")

EXIT_DRAINED, EXIT_UNFINISHED, EXIT_FAILED = 0, 1, 70
_BEAT = 5.0


class Part(Protocol):
    """What a daemon runs: threads of its own, that end when ``stopping`` is set."""

    role: str
    name: str
    database: str
    publisher: Publisher
    held: str
    """Why operators have it stand still; empty: it is to do its work."""

    def start(self) -> None: ...
    def join(self, deadline: float) -> bool: ...
    def failed(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def figures(self) -> dict[str, Any]: ...
    @property
    def turned(self) -> float:
        """When its slowest loop last turned, or is to turn next where it rests (monotonic seconds)."""


def process_name() -> str:
    """This process, as operators know it: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Daemon:
    """Runs parts until SIGTERM or SIGINT; then drains them. A second signal: now.

    Use it in the main thread: signals arrive there.
    """

    def __init__(self, *, shutdown_timeout: float, stuck_after: float = 60.0, health_address: str = "") -> None:
        self.name = process_name()
        self.stopping = threading.Event()
        self.shutdown_timeout = shutdown_timeout
        self.parts: list[Part] = []
        self.told: dict[Part, dict[str, Any]] = {}
        """The figures that each part gave last."""
        self.turned = time.monotonic()
        """When the main loop last turned."""
        self.health = Health(self, stuck_after)
        self._server = HealthServer(health_address, self.health.pages)
        self._supervisor = Supervisor()
        self.deadline = float("inf")
        """By when everything must be finished (monotonic seconds): known before ``stopping`` is set."""
        self._asked_to_stop = False

    def run(self, chores: Sequence[Callable[[], None]] = ()) -> int:
        """Start the parts, wait for the end, drain; return the exit code.

        0: all was finished. 1: the deadline passed. 70: a part failed; start the process again.
        """
        signal.signal(signal.SIGTERM, self._signalled)
        signal.signal(signal.SIGINT, self._signalled)
        self._heed()
        for part in self.parts:
            part.start()
        self._server.start()
        threading.Thread(target=self._keep_house, args=(chores,), name="housekeeping", daemon=True).start()
        while not self._asked_to_stop:
            if why := next(filter(None, (part.failed() for part in self.parts)), ""):
                return self._give_up(why)
            self._turn()
            time.sleep(0.1)
        self.stop()
        return self._drain()

    def _turn(self) -> None:
        self.turned = time.monotonic()
        self._supervisor.hear(self.health)

    def stop(self) -> None:
        """Take nothing new, finish what runs. Callable from any thread."""
        if not self.stopping.is_set():
            self.deadline = time.monotonic() + self.shutdown_timeout
            self.stopping.set()
        self._asked_to_stop = True

    def _signalled(self, number: int, frame: object) -> None:
        """Only a flag: an Event's lock may be held by the very code that the signal interrupts."""
        if self._asked_to_stop:
            os._exit(128 + number)
        self._asked_to_stop = True

    def _drain(self) -> int:
        self._supervisor.stopping(self.shutdown_timeout)
        for part in self.parts:
            telemetry.changed.send_robust(Daemon, daemon=f"{part.role} {part.name}", state="stopping", why="")
        finished = [self._joined(part) for part in self.parts]
        if not all(finished):
            return EXIT_UNFINISHED  # at once: what hangs may have locked the database
        self._leave()
        self._server.close()
        return EXIT_DRAINED

    def _joined(self, part: Part) -> bool:
        """Whether the part ended before the deadline. Meanwhile this loop turns."""
        while not part.join(min(self.deadline, time.monotonic() + 1.0)):
            if time.monotonic() >= self.deadline:
                return False
            self._turn()
        return True

    def _give_up(self, why: str) -> int:
        """Hand back what can be handed back, and end: whatever starts us again starts afresh."""
        telemetry.changed.send_robust(Daemon, daemon=self.name, state="failed", why=why)
        self.shutdown_timeout = min(self.shutdown_timeout, 2.0)
        self.stop()
        self._drain()
        return EXIT_FAILED

    def _keep_house(self, chores: Sequence[Callable[[], None]]) -> None:
        while not self.stopping.wait(self._beat()):
            for chore in chores:
                try:
                    chore()
                except Exception:
                    logger.exception("a chore of %s failed, and will be tried again", self.name)
            reset_queries()
        connections.close_all()

    def _beat(self) -> float:
        """Say in the database how each part is doing; seconds until the next time."""
        for part in self.parts:
            try:
                self.told[part] = part.figures
                figures = {**self.told[part], "health": self._server.address}
                heartbeats = Heartbeat.objects.using(part.database)
                heartbeats.beat(self.name, part.role, part.name, part.state, figures)
                part.held = Hold.objects.using(part.database).why(part.role, part.name)
            except (DatabaseError, InterfaceError):
                forget_broken_connection(part.database)
            except Exception:
                logger.exception("the heartbeat of %s %s failed", part.role, part.name)
        return 0.2 if self.health.starting else _BEAT

    def _heed(self) -> None:
        """What is paused does not begin. Where a database is away there is nothing to begin, either."""
        for part in self.parts:
            with suppress(DatabaseError, InterfaceError):
                part.held = Hold.objects.using(part.database).why(part.role, part.name)
        connections.close_all()

    def _leave(self) -> None:
        for part in self.parts:
            with suppress(DatabaseError, InterfaceError):
                Heartbeat.objects.using(part.database).leave(self.name)


class RelayPart:
    """A relay in a thread of its own, as a part of a daemon."""

    role = "relay"

    def __init__(self, relay: Relay, daemon: Daemon) -> None:
        self.relay = relay
        self.name = relay.database
        self.database = relay.database
        self.publisher = relay.publisher
        self.held = ""
        self.turned = time.monotonic()
        self._stopping = daemon.stopping
        self._thread = threading.Thread(target=self._run, name=relay.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, deadline: float) -> bool:
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def failed(self) -> str:
        return "" if self._thread.is_alive() or self._stopping.is_set() else "the relay's thread died"

    @property
    def state(self) -> str:
        return self.relay.state

    @property
    def why(self) -> str:
        return self.relay.why

    @property
    def figures(self) -> dict[str, Any]:
        return self.relay.figures

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.turned = time.monotonic()
                pause = self.relay.stand_still(self.held) if self.held else self.relay.poll()
                self.turned = time.monotonic() + pause
                self.relay.rest(pause, self._stopping)
                reset_queries()
        finally:
            self.relay.close(2.0)
            connections.close_all()
