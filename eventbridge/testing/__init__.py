"""For the tests of projects that use eventbridge: what was emitted, and what its handlers do with it.

Everything happens in the calling thread, in the test's own transaction: a ``TestCase`` or
pytest-django's ``db`` is enough, no broker is asked, and the test's rollback takes all of it along.
The true encoding, routing and worker are used, with a broker in memory between them.

The same names are pytest fixtures, for projects with pytest-django (eventbridge/pytest_plugin.py).
"""

from eventbridge.testing.assertions import assert_not_published, assert_published, assert_published_once
from eventbridge.testing.captured import captured_events, forget_events
from eventbridge.testing.delivery import deliver
from eventbridge.testing.hands import Settled

__all__ = [
    "Settled",
    "assert_not_published",
    "assert_published",
    "assert_published_once",
    "captured_events",
    "deliver",
    "forget_events",
]
