"""Supervisor: runs the processes, and starts again whichever ends, as systemd would."""

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.chaos.history import Deed, Ending
from tests.chaos.plan import DAEMONS, PRODUCERS
from tests.services.processes import Process

_AFTER = 0.5
_PATIENCE = 20.0
_SLOW = 4.0
_LINES = 40  # of what it said, when it ends


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
        self.endings: list[Ending] = []
        """How processes ended that were not let go."""
        self.deeds: list[Deed] = []
        self.restarts: Counter[str] = Counter()
        self._env = env
        self._logs = logs
        self._commands = commands()
        self._running: dict[str, Process] = {}
        self._names: dict[Process, str] = {}
        self._gone: set[Process] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        for name in self._commands:
            self._launch(name, 0)
        self._thread.start()

    def kill(self, name: str) -> None:
        """SIGKILL to whoever now bears that name."""
        self._do("kill", name).send(signal.SIGKILL)

    def terminate(self, name: str) -> None:
        self._do("terminate", name).terminate()

    def freeze(self, name: str, seconds: float) -> None:
        """It stands still for so long."""
        process = self._do("freeze", name)
        process.send(signal.SIGSTOP)
        time.sleep(seconds)
        process.send(signal.SIGCONT)

    def _do(self, what: str, name: str) -> Process:
        """Write it down first: the process may be gone at once."""
        with self._lock:
            process = self._running[name]
            self.deeds.append(Deed(what, self._names[process], time.monotonic()))
            return process

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
        full = f"{name}.{incarnation:03}"
        env = {**self._env, "CHAOS_INCARNATION": str(incarnation), "CHAOS_PROCESS": full}
        process = Process(self._commands[name], env, self._logs / f"{full}.log")
        self._running[name], self._names[process] = process, full

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
            words = "\n".join(process.output.splitlines()[-_LINES:])
            self.endings.append(Ending(self._names[process], process.wait(1), time.monotonic(), words))
        return list(ended)

    def _again(self, name: str) -> None:
        time.sleep(_AFTER)
        with self._lock:
            if name in self._running and not self._stopping.is_set():
                self.restarts[name] += 1
                self._launch(name, self.restarts[name])
