"""Event types: their names, and the fields of their payloads."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.checks import CheckMessage

from eventbridge.checks import findings
from eventbridge.event import event_types


def check_event_types(**kwargs: Any) -> list[CheckMessage]:
    """Names are unique, and every payload's annotations can be read."""
    names = Counter(kind.name for kind in event_types.values())
    found: list[CheckMessage] = []
    for kind in event_types.values():
        place = f"{kind.payload.__module__}.{kind.payload.__qualname__}"
        if names[kind.name] > 1:
            hint = "Give one of them another name, or a new version (….v2)."
            found.append(findings.error(10, f"{place} is not the only class with the event type {kind.name!r}.", hint))
        try:
            kind.decoder  # noqa: B018 - building it reads the annotations
        except Exception as error:
            found.append(findings.error(11, f"the fields of {place} cannot be read: {error}.", ""))
    return found
