"""Logs as JSON: one object a line, for programs that search them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from eventbridge.event import cause


class JsonFormatter(logging.Formatter):
    """A record as JSON: time, level, logger, message; which event it is about; what was raised.

    Eventbridge's own records bring their fields as ``record.eventbridge``. Any other record that is written
    while a handler runs says which event that handles. Nothing but ASCII is written, and no line break within.
    """

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_trace(getattr(record, "eventbridge", None) or _of_the_event_in_hand()),
        }
        if record.exc_info and record.exc_info[0]:
            told["error.type"] = record.exc_info[0].__name__
            told["stack"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in told.items() if value is not None}, default=str)


def _of_the_event_in_hand() -> dict[str, Any]:
    event = cause.get()
    return {"event_id": event.id, "type": event.type, "traceparent": event.traceparent} if event else {}


def _trace(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, with ``trace_id`` for a ``traceparent``: by that name a log is found from a trace."""
    found = {**fields}
    parts = str(found.pop("traceparent", None) or "").split("-")
    return {**found, "trace_id": parts[1]} if len(parts) > 1 else found
