"""Events that end the process which handles them: each is given up alone, whatever else was in hand."""

import signal
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import call_command

from eventbridge import emit_many
from eventbridge.assembly import declare
from eventbridge.models import DeadLetter, InboxEntry
from eventbridge.topology import topology_of
from tests.e2e import poison
from tests.e2e.poison import Drunk
from tests.services.processes import Process
from tests.services.waiting import wait_for
from tests.shop.models import Note

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "archive"]),
    pytest.mark.timeout(120),
    pytest.mark.parametrize("lease", [1]),
]
HEALTHY = [f"{number:02}" for number in range(40)]
ATTEMPTS = 1 + len(poison.consumer.retries)


Serve = Callable[..., Process]


@pytest.fixture
def serve(transport: str, daemon: Callable[..., Process]) -> Serve:
    """Serves a poisonous event among forty healthy ones, under a supervisor, until it is given up."""

    def serve(does: str, **env: str) -> Process:
        declare(topology_of([poison.consumer]))
        events = [Drunk(text=text) for text in HEALTHY]
        events.insert(20, Drunk(text="poison", does=does))
        emit_many(events)
        call_command("eventbridge", "relay", "--drain", stdout=StringIO())
        supervisor = daemon("tests.e2e.poison", program="tests.e2e.supervisor", env=env)
        wait_for(DeadLetter.objects.exists, 60, what="a dead letter")
        wait_for(lambda: Note.objects.count() >= len(HEALTHY), 30, what="forty notes")
        return supervisor

    return serve


def only_the_poison_is_given_up() -> None:
    """After its attempts; whoever was with it took effect once, and was tried as a suspect once at most."""
    letters = DeadLetter.objects.values_list("consumer", "reason", "attempts")
    assert list(letters) == [("e2e.poison", "crashed", ATTEMPTS)]
    assert sorted(Note.objects.values_list("text", flat=True)) == HEALTHY
    tried = InboxEntry.objects.filter(consumer="e2e.poison")
    assert {entry.attempts for entry in tried} <= {0, 1}
    assert tried.count() == len(HEALTHY)


@pytest.mark.parametrize("shape", [{}, {"E2E_CONCURRENCY": "8"}, {"E2E_BATCH": "50"}], ids=["one", "eight", "batch"])
@pytest.mark.parametrize("death", ["exit", "kill", "segfault"])
def test_an_event_that_kills_its_process_is_given_up_alone_whatever_else_is_in_hand(
    serve: Serve, death: str, shape: dict[str, str]
):
    supervisor = serve(death, **shape)
    only_the_poison_is_given_up()
    code = {"exit": 9, "kill": -signal.SIGKILL, "segfault": -signal.SIGSEGV}[death]
    assert supervisor.output.count(f"it ended with {code}\n") == 1 + ATTEMPTS  # the first was no suspect's


def test_an_event_that_hangs_fails_and_is_given_up_alone(serve: Serve):
    supervisor = serve("hang", E2E_TIMEOUT="1", E2E_CONCURRENCY="8")
    only_the_poison_is_given_up()
    assert supervisor.output.count("it ended with 70\n") == 1 + ATTEMPTS
