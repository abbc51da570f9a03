"""Who did it: every change that somebody makes by hand is written down."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Sequence

from eventbridge.models import Audit

_MOST_IDS = 100


def audit(what: str, many: int, *, about: str = "", who: str = "", using: str = "default") -> None:
    """Write down that ``what`` was done (``"dead replay"``), and how many it changed.

    ``who`` is the admin's user; empty for whoever runs this process at a terminal. Do it in the
    transaction of the change, if there is one. Raises what the database raises.
    """
    via = Audit.Via.ADMIN if who else Audit.Via.COMMAND
    Audit.objects.using(using).create(who=who or at_the_terminal(), via=via, what=what, about=about, many=many)


def these(ids: Sequence[object]) -> str:
    """Ids, as ``about`` has them: the first hundred by name."""
    more = f" and {len(ids) - _MOST_IDS:,} more" if len(ids) > _MOST_IDS else ""
    return ", ".join(map(str, ids[:_MOST_IDS])) + more


def at_the_terminal() -> str:
    """The system's user, at this machine. In a container there may be a number without a name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown user"
    return f"{user}@{socket.gethostname()}"
