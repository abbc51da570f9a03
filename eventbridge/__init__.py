"""eventbridge: Django signals, as events on RabbitMQ.

The public names, all of them. They load on first use (PEP 562), so that they can be imported
before Django's app registry is ready, and so that a web process never loads kombu or pika.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventbridge.capture import bridge, emit, emit_many
    from eventbridge.consumer import Consumer
    from eventbridge.errors import Reject, Retry
    from eventbridge.event import Event, event_type

__version__ = "0.1.0"

__all__ = ["Consumer", "Event", "Reject", "Retry", "bridge", "emit", "emit_many", "event_type"]

_ROOMS = {
    "bridge": "capture",
    "emit": "capture",
    "emit_many": "capture",
    "Consumer": "consumer",
    "Reject": "errors",
    "Retry": "errors",
    "Event": "event",
    "event_type": "event",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
