"""Carries out faults: each in a thread of its own, so that they overlap; one at a time on each server and link."""

import sqlite3
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest

from tests.chaos.plan import Fault
from tests.chaos.supervisor import Supervisor
from tests.chaos.world import World
from tests.services.proxy import Lane, Proxy

_LONGEST = 300.0


class Faults:
    """Does what the plan says, and keeps count of what was really done."""

    def __init__(self, world: World, supervisor: Supervisor) -> None:
        self.fired: Counter[str] = Counter()
        self.failed: list[str] = []
        self._world = world
        self._supervisor = supervisor
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._under_way: list[threading.Thread] = []
        self._over = False

    def begin(self, fault: Fault) -> None:
        """Start it; it ends by itself."""
        thread = threading.Thread(target=self._carry_out, args=(fault,), daemon=True)
        self._under_way.append(thread)
        thread.start()

    def wait(self) -> None:
        """Until all that began are over. Those that still wait for their turn, on a slow machine, are dropped."""
        self._over = True
        until = time.monotonic() + _LONGEST
        for thread in self._under_way:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                self.failed.append("a fault did not end")

    def _carry_out(self, fault: Fault) -> None:
        lock = self._locks[fault.target] if fault.target.startswith(("broker", "database")) else threading.Lock()
        with lock:
            if self._over:
                return
            try:
                self._act(fault)(fault)
            except (Exception, pytest.skip.Exception) as error:
                self.failed.append(f"{fault.kind}: {error!r}")
            else:
                self.fired[fault.kind] += 1

    def _act(self, fault: Fault) -> Callable[[Fault], None]:
        if fault.target == "broker":
            return self._on_broker
        if fault.target == "database":
            return self._on_postgresql if self._world.database else self._on_sqlite
        return self._on_link if fault.target.endswith(" link") else self._on_process

    # --- processes ---

    def _on_process(self, fault: Fault) -> None:
        match fault.what:
            case "kill":
                self._supervisor.kill(fault.target)
            case "terminate":
                self._supervisor.terminate(fault.target)
            case "freeze":
                self._supervisor.freeze(fault.target, fault.seconds)

    # --- servers ---

    def _on_broker(self, fault: Fault) -> None:
        broker = self._world.broker
        assert broker
        match fault.what:
            case "restart":
                broker.restart()
            case "power cut":
                broker.kill()
                time.sleep(fault.seconds)
                broker.start()
            case "stop_app":
                broker.ctl("stop_app")
                time.sleep(fault.seconds)
                broker.ctl("start_app")
            case "freeze":
                broker.pause()
                time.sleep(fault.seconds)
                broker.resume()
            case "alarm":
                with broker.memory_alarm():
                    time.sleep(fault.seconds)

    def _on_postgresql(self, fault: Fault) -> None:
        database = self._world.database
        assert database
        match fault.what:
            case "restart":
                database.restart()
            case "power cut":
                database.kill()
                time.sleep(fault.seconds)
                database.start()
            case "close connections":
                database.close_connections()
            case "freeze":
                database.pause()
                time.sleep(fault.seconds)
                database.resume()

    def _on_sqlite(self, fault: Fault) -> None:
        path = urlsplit(self._world.env["CHAOS_DATABASE_URL"]).path[1:]
        with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(fault.seconds)
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")

    # --- the network ---

    def _on_link(self, fault: Fault) -> None:
        link = self._world.links[fault.target.removesuffix(" link")]
        match fault.what.split():
            case ["cut"]:
                link.cut()
            case ["refuse"]:
                link.refuse()
                link.cut()
                time.sleep(fault.seconds)
                link.accept()
            case ["delay"]:
                link.to_server.delay = link.to_client.delay = 0.05
                time.sleep(fault.seconds)
                link.to_server.delay = link.to_client.delay = 0.0
            case [verb, "to", side]:
                _break_one_way(link, link.to_server if side == "server" else link.to_client, verb, fault.seconds)


def _break_one_way(link: Proxy, lane: Lane, verb: str, seconds: float) -> None:
    """Nothing arrives that way for a while. What was swallowed is gone for good, so those links end with it."""
    getattr(lane, verb)()
    time.sleep(seconds)
    if verb == "swallow":
        link.refuse()
        link.cut()
    lane.flow()
    link.accept()
