"""Health: what a daemon tells those who ask by HTTP. It reads memory only: no database, no broker.

``/livez``: its loops turn. ``/readyz``: its parts do their work. ``/statusz``: both and the figures,
as JSON. ``/metrics``: for Prometheus. Whatever happens here, the daemon does its work.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eventbridge import __version__
from eventbridge.server import Page
from eventbridge.wording import one_line

if TYPE_CHECKING:
    from eventbridge.daemon import Daemon, Part


class Health:
    """How a daemon is doing. Callable from any thread."""

    def __init__(self, daemon: Daemon, stuck_after: float) -> None:
        self.daemon = daemon
        self.stuck_after = stuck_after
        self._began = time.monotonic()
        self.pages: dict[str, Callable[[], Page]] = {
            "/livez": lambda: _verdict(self.stuck()),
            "/readyz": lambda: _verdict(self.unready()),
            "/statusz": self._statusz,
            "/metrics": _no_metrics,
        }

    def stuck(self) -> list[str]:
        """The loops that have not turned for so long that this process should be started again.

        While it stops the main loop alone counts: the parts' loops have ended, and there is a deadline.
        """
        loops = {"the main loop": self.daemon.turned}
        if not self.daemon.stopping.is_set():
            loops |= {f"{part.role} {part.name}": part.turned for part in self.daemon.parts}
        still = {name: time.monotonic() - turned for name, turned in loops.items()}
        return [f"{name} has not turned for {age:.0f} s" for name, age in still.items() if age > self.stuck_after]

    def unready(self) -> list[str]:
        """The parts that do not do their work just now, and why. To stand by, or still when told to, is work."""
        if self.daemon.stopping.is_set():
            return ["stopping"]
        idle = [part for part in self.daemon.parts if part.state not in ("ready", "standby", "paused")]
        return [*self.stuck(), *map(_line, idle)]

    @property
    def starting(self) -> bool:
        """Whether a part has yet to say how it is doing."""
        return any(part.state == "starting" for part in self.daemon.parts)

    def __str__(self) -> str:
        """In a line: ``relay default is ready``."""
        if self.daemon.stopping.is_set():
            return "stopping"
        return "; ".join(map(_line, self.daemon.parts))

    def _statusz(self) -> Page:
        stuck, unready = self.stuck(), self.unready()
        told = {
            "process": self.daemon.name,
            "version": __version__,
            "up_seconds": round(time.monotonic() - self._began, 1),
            "live": not stuck,
            "ready": not unready,
            "why": unready or stuck,
            "parts": [self._part(part) for part in self.daemon.parts],
        }
        return Page(200, json.dumps(told, indent=2, default=str).encode(), "application/json")

    def _part(self, part: Part) -> dict[str, Any]:
        return {
            "role": part.role,
            "name": part.name,
            "database": part.database,
            "state": part.state,
            "why": part.why,
            "turned_seconds_ago": round(max(0.0, time.monotonic() - part.turned), 1),
            "figures": self.daemon.told.get(part, {}),
        }


def _line(part: Part) -> str:
    return one_line(f"{part.role} {part.name} is {part.state}{f': {part.why}' if part.why else ''}")


def _verdict(problems: list[str]) -> Page:
    return Page(503 if problems else 200, ("\n".join(problems or ["ok"]) + "\n").encode())


def _no_metrics() -> Page:
    return Page(404, b"There are no metrics: set EVENTBRIDGE['METRICS'] to True.\n")
