"""A web process that dies over a change: the change and its event are both there, or neither is."""

from collections.abc import Callable
from typing import Any

import pytest

from eventbridge.models import OutboxEntry
from tests.crash.scene import DEATHS
from tests.services.processes import Processes
from tests.shop.models import Order, User

pytestmark = pytest.mark.django_db(transaction=True)
Dies = Callable[[str], tuple[int, int]]


@pytest.fixture
def saving(processes: Processes, database_urls: dict[str, str]) -> Dies:
    """Saves an order in a process that dies there; how many orders and events there are then."""
    customer = User.objects.create_user("who@example.org")

    def dies(failpoint: str) -> tuple[int, int]:
        env: dict[str, Any] = {
            "DJANGO_SETTINGS_MODULE": "tests.crash.settings",
            "FAILPOINT": failpoint,
            **{f"SHOP_{name}": url for name, url in database_urls.items()},
        }
        process = processes.python("-m", "tests.crash.producer", str(customer.pk), env=env)
        assert process.wait(30) in DEATHS, process.output
        return Order.objects.count(), OutboxEntry.objects.count()

    return dies


def test_a_process_that_dies_between_the_event_and_the_commit_has_changed_nothing(saving: Dies):
    assert saving("capture.recorded") == (0, 0)


def test_a_process_that_dies_during_the_commit_leaves_the_change_with_its_event_or_neither(saving: Dies):
    assert saving("capture.committing") in [(0, 0), (1, 1)]


def test_a_process_that_dies_right_after_the_commit_leaves_both(saving: Dies):
    assert saving("capture.committed") == (1, 1)
