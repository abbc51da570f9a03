"""systemd: what a daemon tells its supervisor (sd_notify(3)): ready, stopping, how it is, and that its loops turn.

A datagram to the socket that NOTIFY_SOCKET names. Without one, nothing happens.
"""

from __future__ import annotations

import faulthandler
import os
import socket
import time
from contextlib import suppress

from eventbridge.health import Health

_A_THIRD = 3e6
"""Of the watchdog's interval, which is given in microseconds: one lost word does no harm."""


class Supervisor:
    """Whoever started this daemon. Use it in one thread."""

    def __init__(self) -> None:
        path = os.environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._every = _watchdog()
        self._fed = 0.0
        self._ready = False
        self._status = ""

    def hear(self, health: Health) -> None:
        """Tell how the daemon is doing. The watchdog is fed only while its loops turn."""
        if not self._address:
            return
        words = []
        if not (self._ready or health.starting):
            self._ready = True
            words.append("READY=1")
        if str(health) != self._status:
            self._status = str(health)
            words.append(f"STATUS={self._status}")
        if self._every and time.monotonic() - self._fed >= self._every and not health.stuck():
            self._fed = time.monotonic()
            words.append("WATCHDOG=1")
        self._say(words)

    def stopping(self, within: float) -> None:
        """It stops, and may take so many seconds for that."""
        self._say(["STOPPING=1", f"EXTEND_TIMEOUT_USEC={int((within + 5) * 1e6)}"])

    def _say(self, words: list[str]) -> None:
        if not words or not self._address:
            return
        # Not to be waited for, whoever listens: a full queue or nobody there is no reason to stand still.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.setblocking(False)
            end.sendto("\n".join(words).encode(), self._address)


def _watchdog() -> float:
    """Every how many seconds to feed it; 0 if there is none, or it watches another process."""
    interval = os.environ.get("WATCHDOG_USEC", "")
    if not interval.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    with suppress(OSError, ValueError):  # a standard error that is no file
        faulthandler.enable()  # systemd ends what it no longer hears of by SIGABRT: say where every thread was
    return int(interval) / _A_THIRD
