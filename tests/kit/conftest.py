from collections.abc import Iterator

import pytest

from eventbridge.event import event_types


@pytest.fixture(autouse=True)
def _forget_event_types() -> Iterator[None]:
    """What a test declares, no other test sees."""
    before = dict(event_types)
    yield
    event_types.clear()
    event_types.update(before)
