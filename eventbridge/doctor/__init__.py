"""Doctor: looks at everything that eventbridge rests on, says what is wrong, and what mends it.

Nothing is changed. What is away, or does not answer in time, is a finding like the others.
"""

from __future__ import annotations

from functools import partial

from eventbridge.doctor import broker, daemons, database, project
from eventbridge.doctor.visit import Finding, Visit, carry_out
from eventbridge.status import databases

__all__ = ["Finding", "examine"]


def examine(seconds: float) -> list[Finding]:
    """Look at everything at once, for at most ``seconds``; the worst comes first."""
    visits = [
        Visit("settings", project.look),
        Visit("broker", broker.look),
        *(Visit(f"database {alias}", partial(database.look, alias)) for alias in databases()),
        Visit("daemons", daemons.look),
    ]
    return sorted(carry_out(visits, seconds), key=lambda finding: -finding.severity)
