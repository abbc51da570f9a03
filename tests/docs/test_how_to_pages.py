"""The how-to pages whose files belong to the tutorial's project: written into it, and run there."""

from pathlib import Path

import pytest

from tests.docs.pages import blocks, read
from tests.docs.test_tutorial import Newcomer
from tests.services.processes import Processes


@pytest.fixture
def newcomer(tmp_path: Path, processes: Processes) -> Newcomer:
    """Somebody who has followed the tutorial up to where daemons are started."""
    newcomer = Newcomer(tmp_path, processes)
    until_they_start = read("docs/tutorial.md").partition("Two daemons do the work.")[0]
    newcomer.follow(blocks(until_they_start))
    return newcomer


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", ["add-an-event", "add-a-consumer", "test-your-events"])
def test_a_page_can_be_followed_in_the_tutorials_project(page: str, newcomer: Newcomer) -> None:
    newcomer.follow(blocks(read(f"docs/how-to/{page}.md")))
