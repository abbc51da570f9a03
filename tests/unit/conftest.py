from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from eventbridge.event import event_types

# A busy machine is no failure: pytest's own timeout is the limit.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _forget_event_types() -> Iterator[None]:
    """What a test declares, no other test sees."""
    before = dict(event_types)
    yield
    event_types.clear()
    event_types.update(before)
