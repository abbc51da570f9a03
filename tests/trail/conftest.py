"""The trail, written in this process as it is in a site whose settings say so."""

from collections.abc import Callable, Iterator

import pytest

from eventbridge import trail
from eventbridge.models import TrailStep
from tests.services.waiting import wait_for

Steps = Callable[..., list[TrailStep]]


@pytest.fixture
def trail_on(transactional_db: None) -> Iterator[None]:
    trail.connect()
    yield
    trail.trail.close()
    trail.disconnect()


@pytest.fixture
def steps() -> Steps:
    """``steps(event_id, 3)``: the event's steps as they happened, as soon as there are so many of them."""

    def steps(event_id: str, number: int, timeout: float = 10) -> list[TrailStep]:
        def enough() -> list[TrailStep]:
            found = TrailStep.objects.journey(event_id)
            return found if len(found) >= number else []

        found = wait_for(enough, timeout, every=0.05, what=f"{number} steps of {event_id}")
        assert len(found) == number
        return found

    return steps
