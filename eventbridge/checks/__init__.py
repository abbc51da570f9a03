"""What ``manage.py check`` finds: every mistake that would otherwise lose an event in silence.

Each id is explained in docs/reference/checks.md.
"""

from __future__ import annotations

from django.core.checks import Tags, register

from eventbridge.checks.bridges import check_bridges
from eventbridge.checks.consumers import check_consumers, consumer_problems
from eventbridge.checks.databases import check_databases
from eventbridge.checks.event_types import check_event_types
from eventbridge.checks.settings import check_settings

__all__ = (
    "check_bridges",
    "check_consumers",
    "check_databases",
    "check_event_types",
    "check_settings",
    "consumer_problems",
)

register(check_settings)
register(check_event_types)
register(check_bridges, Tags.models)
register(check_consumers)
register(check_databases)
