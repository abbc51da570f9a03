"""Times as people and programs can use them: with a time zone, even where the project has none (USE_TZ=False)."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone

from eventbridge.wording import age

_AGE = re.compile(r"(\d{1,5}) ?(s|min|h|d|w)", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment(text: str) -> datetime | timedelta:
    """``2026-11-23T14:00``, or an age such as ``2h`` (s, min, h, d, w), as argparse's ``type``."""
    try:
        if found := _AGE.fullmatch(text.strip()):
            return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
        return datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        example = "a time such as 2026-11-23T14:00, or an age such as 30min, 2h or 5d"
        raise ArgumentTypeError(f"{text!r} is not {example}") from None


def in_the_database(value: datetime | timedelta, using: str) -> Any:
    """That moment, to compare with a column of that database; an age is counted by its clock.

    A time without a time zone is one in the project's own (TIME_ZONE).
    """
    if isinstance(value, timedelta):
        return Now() - value
    aware = value if value.tzinfo else value.replace(tzinfo=timezone.get_default_timezone())
    return aware if settings.USE_TZ else aware.astimezone(_zone_of(using)).replace(tzinfo=None)


def with_zone(value: Any, using: str) -> Any:
    """A time that was read from that database, with its time zone; anything else as it is.

    With USE_TZ=False Django leaves the zone out. Every time of ours is the database's clock: that
    is UTC on SQLite, and TIME_ZONE in Django's connections to PostgreSQL.
    """
    if not isinstance(value, datetime) or timezone.is_aware(value):
        return value
    return value.replace(tzinfo=_zone_of(using))


def _zone_of(using: str) -> tzinfo:
    return UTC if connections[using].vendor == "sqlite" else timezone.get_default_timezone()


def age_at(now: datetime, moment: datetime) -> str:
    """How old it was then. Both are the database's."""
    return age(max((now - moment).total_seconds(), 0.0))
