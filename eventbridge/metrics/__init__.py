"""Metrics for Prometheus, in prometheus-client's default registry. Off, unless ``EVENTBRIDGE["METRICS"]`` is on.

They are receivers of our own signals (receivers.py), and gauges that a daemon reads when it is asked (gauges.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from eventbridge.metrics import receivers, series
from eventbridge.metrics.gauges import Gauges, expose

if TYPE_CHECKING:
    from eventbridge.daemon import Daemon

__all__ = ("connect", "disconnect", "watch")


def connect() -> None:
    """Count in this process, from now on."""
    series.expect_events()
    for signal, receiver in receivers.ALL:
        signal.connect(receiver)


def disconnect() -> None:
    """Count no more."""
    for signal, receiver in receivers.ALL:
        signal.disconnect(receiver)


def watch(daemon: Daemon) -> Callable[[], None]:
    """Have a daemon show its gauges, and /metrics; return the chore that asks the databases."""
    series.expect(daemon.parts)
    gauges = Gauges(daemon.parts, daemon.told)
    daemon.health.pages["/metrics"] = lambda: expose(gauges)
    return gauges.ask
