"""Supervisor: runs the processes, and starts again whichever ends, as systemd would."""

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.chaos.plan import DAEMONS, PRODUCERS
from tests.services.processes import Process

_AFTER = 0.5
_PATIENCE = 20.0
_SLOW = 4.0


def commands() -> dict[str, list[str]]:
    """What to run, by the name of the process."""
    daemons = {
        name: [sys.executable, "-m", "django", "eventbridge", verb, *(f"tests.chaos.consumers.{m}" for m in modules)]
        for name, (verb, *modules) in DAEMONS.items()
    }
    producers = {name: [sys.executable, "-m", "tests.chaos.producer", name] for name in PRODUCERS}
    return {**daemons, **producers}


class Supervisor:
    """Keeps each process running until told to let it go."""

    def __init__(self, env: Mapping[str, str], logs: Path) -> None:
        self.exits: Counter[int] = Counter()
        """How processes ended that were not let go: by exit code, or -signal."""
        self.restarts: Counter[str] = Counter()
        self._env = env
        self._logs = logs
        self._commands = commands()
        self._running: dict[str, Process] = {}
        self._gone: set[Process] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        for name in self._commands:
            self._launch(name, 0)
        self._thread.start()

    def process(self, name: str) -> Process:
        """The process that now bears that name."""
        with self._lock:
            return self._running[name]

    def let_go(self, names: Sequence[str]) -> dict[str, int]:
        """SIGTERM, and no restart; every exit code. Who does not end in time is killed."""
        with self._lock:
            going = {name: self._running.pop(name) for name in names}
        for process in going.values():
            process.send(signal.SIGCONT)
            process.terminate()
        self._ask_where(list(going.values()))
        return {name: self._end(process) for name, process in going.items()}

    def close(self) -> None:
        """Kill what is left."""
        self._stopping.set()
        with self._lock:
            left = list(self._running.values())
            self._running.clear()
        for process in left:
            process.kill()

    def _ask_where(self, processes: Sequence[Process]) -> None:
        """Whoever takes long to end writes into its log where each of its threads is."""
        until = time.monotonic() + _SLOW
        while any(process.running for process in processes) and time.monotonic() < until:
            time.sleep(0.05)
        for process in processes:
            process.send(signal.SIGUSR1)

    def _end(self, process: Process) -> int:
        with suppress(AssertionError):
            return process.wait(_PATIENCE)
        process.kill()
        return -signal.SIGKILL

    def _launch(self, name: str, incarnation: int) -> None:
        env = {**self._env, "CHAOS_INCARNATION": str(incarnation)}
        log = self._logs / f"{name}.{incarnation:03}.log"
        self._running[name] = Process(self._commands[name], env, log)

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            for name in self._ended():
                threading.Thread(target=self._again, args=(name,), daemon=True).start()

    def _ended(self) -> list[str]:
        """Those that have ended, each told once."""
        with self._lock:
            ended = {n: p for n, p in self._running.items() if not p.running and p not in self._gone}
        for process in ended.values():
            self._gone.add(process)
            self.exits[process.wait(1)] += 1
        return list(ended)

    def _again(self, name: str) -> None:
        time.sleep(_AFTER)
        with self._lock:
            if name in self._running and not self._stopping.is_set():
                self.restarts[name] += 1
                self._launch(name, self.restarts[name])
