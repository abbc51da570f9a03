"""Times as people and programs can use them: with a time zone, even where the project has none (USE_TZ=False)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connections
from django.utils import timezone

from eventbridge.wording import age


def with_zone(value: Any, using: str) -> Any:
    """A time that was read from that database, with its time zone; anything else as it is.

    With USE_TZ=False Django leaves the zone out. Every time of ours is the database's clock: that
    is UTC on SQLite, and TIME_ZONE in Django's connections to PostgreSQL.
    """
    if not isinstance(value, datetime) or timezone.is_aware(value):
        return value
    zone = UTC if connections[using].vendor == "sqlite" else timezone.get_default_timezone()
    return value.replace(tzinfo=zone)


def age_at(now: datetime, moment: datetime) -> str:
    """How old it was then. Both are the database's."""
    return age(max((now - moment).total_seconds(), 0.0))
