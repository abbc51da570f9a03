"""The project: its settings, event types, bridges and consumers, as the system checks see them."""

from __future__ import annotations

from collections.abc import Iterator

from eventbridge import checks
from eventbridge.conf import settings
from eventbridge.consumer import Consumer, consumers_in
from eventbridge.doctor.visit import Note, broken, doubtful, fine

_CHECKS = (
    checks.check_settings,
    checks.check_event_types,
    checks.check_bridges,
    checks.check_consumers,
    checks.check_databases,
)


def look() -> Iterator[Note]:
    found = [message for check in _CHECKS for message in check() if not message.is_silenced()]
    for message in found:
        judge = broken if message.is_serious() else doubtful
        yield judge(f"{message.msg} ({message.id})", message.hint or "docs/reference/checks.md explains it.")
    if not found:
        yield fine("the checks of eventbridge find nothing")


def settings_are_usable() -> bool:
    return not any(message.is_serious() for message in checks.check_settings())


def usable_consumers() -> list[Consumer]:
    """Those of every module in CONSUMERS that can be imported; the checks tell of the others."""
    found: list[Consumer] = []
    for module in settings.CONSUMERS:
        try:
            found += consumers_in([module])
        except Exception:  # noqa: S112 - whatever a module of theirs raises
            continue
    return found
