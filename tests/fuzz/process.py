"""The process under fire: a real ``manage.py eventbridge consume``, started again if it ends, which it must not."""

import re
import sys
from contextlib import suppress
from pathlib import Path

from tests.fuzz.contracts import CONSUMERS
from tests.services.processes import Process
from tests.services.secrecy import SECRECY

_COMMAND = (sys.executable, "-m", "django", "eventbridge", "consume")
_MOST_RESTARTS = 5
TROUBLE = ("Traceback (most recent call last)", "Logging error", "are lost", "will be tried again", "is waiting")
"""What it says of itself, never of a message, where something in it went wrong. (A message's words are on one line.)"""


class Consuming:
    """The process, and what can be seen of it from outside."""

    def __init__(self, folder: Path) -> None:
        self.restarts = 0
        self._folder = folder
        self._process: Process | None = None

    def start(self) -> None:
        """Run it; return when all of its consumers are ready."""
        log = self._folder / f"consume.{self.restarts}.log"
        self._process = Process([*_COMMAND], {"FUZZ_CHILD": "1"}, log)
        for name in CONSUMERS:
            self._process.wait_for_output(f"consumer {name} is ready", 60)

    def keep_running(self) -> bool:
        """Start it again, and count that, where it has ended. False: it will not live."""
        if self._process is not None and not self._process.running:
            self.restarts += 1
            with suppress(AssertionError):
                self.start()
        return self.restarts < _MOST_RESTARTS

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self._process
        if not self._process.running:
            return self._process.wait(1)
        self._process.terminate()
        with suppress(AssertionError):
            return self._process.wait(40)
        return -9

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()

    # --- what it does ---

    @property
    def progress(self) -> int:
        """A number that grows as long as something happens."""
        return sum(path.stat().st_size for path in self._folder.glob("*.notes")) + _effects()

    def left(self) -> dict[str, int]:
        """What each queue still holds, the retries' and that of what was lost too."""
        from django.db import connection

        from eventbridge.assembly import open_publisher
        from eventbridge.models import BrokerMessage
        from eventbridge.topology import topology_of
        from tests.fuzz.consumers import ALL

        names = [queue.name for queue in topology_of(ALL.values()).queues]
        publisher = open_publisher()
        try:
            embedded = type(publisher).__module__.endswith("database")
            count = (lambda name: BrokerMessage.objects.filter(queue=name).count()) if embedded else publisher.depth
            return {name: count(name) or 0 for name in names}
        finally:
            publisher.close(2)
            connection.close()

    # --- what it is like ---

    @property
    def memory(self) -> int:
        """Resident, in MiB."""
        return self._status("VmRSS")

    @property
    def peak(self) -> int:
        return self._status("VmHWM")

    def _status(self, line: str) -> int:
        assert self._process
        with suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            if found := re.search(rf"{line}:\s+(\d+) kB", status):
                return int(found[1]) // 1024
        return 0

    def trouble(self) -> dict[str, int]:
        """How often it complained about something other than a message."""
        said = "".join(path.read_text(errors="replace") for path in self._folder.glob("consume.*.log"))
        return {words: count for words in TROUBLE if (count := said.count(words))}

    def told(self) -> list[str]:
        """Where it told a password."""
        return SECRECY.told_in(self._folder)


def _effects() -> int:
    from tests.fuzz.models import Effect

    return Effect.objects.count()
