"""Consumers that are ready and come to nothing: status and the event bus say so, and that is not "all is well"."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from eventbridge import emit, troubles
from eventbridge.flow import flow_of
from eventbridge.models import BrokerMessage, Heartbeat
from eventbridge.status import take_report
from tests.services.processes import Process
from tests.services.waiting import wait_for
from tests.shop.contracts import OrderSaved
from tests.shop.models import Note

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "archive"])
FAILS = {"failing": 600, "events": 100, "failing_for": 70, "fruitless": 75, "error": "OSError: 451 disk full"}
HANGS = {"running_for": 250, "fruitless": 250}


@pytest.fixture(autouse=True)
def relay() -> None:
    Heartbeat.objects.beat("web1:10", "relay", "default", "ready", {"relayed": 1204})


def beat(process: str = "web1:11", state: str = "ready", *, handled: int = 0, depth: int = 0, **trouble: Any) -> None:
    figures = {"handled": handled, "depth": depth, "running": 1, "trouble": trouble}
    Heartbeat.objects.beat(process, "consumer", "cli.mail", state, figures)


def card() -> Any:
    return next(node for node in flow_of(take_report()).consumers if node.name == "cli.mail")


def test_a_consumer_that_fails_at_everything_is_one_and_says_of_what(run):
    beat(**FAILS)
    answer = run("status")
    assert answer.code == 1
    assert answer.out.startswith(
        "Consumer cli.mail has failed 600 times since it was started, 1 min ago: OSError: 451 disk full. "
        "Mend that; to pause it keeps the attempts until then.\n    manage.py eventbridge pause cli.mail\n"
    )
    assert "trouble" not in answer.out
    beat(handled=7, **FAILS)
    assert "600 times since it last handled anything, 1 min ago" in run("status").out
    assert "has failed 600 times" in run("doctor").out


@pytest.mark.parametrize(
    "figures",
    [
        {**FAILS, "failing": 2, "events": 2, "failing_for": 400},
        {**FAILS, "failing": 50, "events": 2, "failing_for": 290},
        {**FAILS, "failing": 0},
        {"stalled": 290},
        {"running_for": 230},
        {"running_for": 3000, "timeout": 3600},
        {"running_for": 100, "stalled": 50},
    ],
)
def test_one_event_that_fails_and_a_handler_that_takes_long_are_no_trouble(run, figures):
    beat(handled=7, depth=5, **figures)
    assert run("status").code == 0
    assert (card().state, card().tone) == ("ready", "good")


def test_one_event_that_has_failed_for_five_minutes_with_no_success_is(run):
    beat(**{**FAILS, "failing": 4, "events": 1, "failing_for": 340})
    assert run("status").code == 1


def test_of_several_processes_the_failures_count_together_and_those_that_work_excuse_none(run):
    for n, failing in enumerate((1, 1, 1)):
        beat(f"web1:{n}", **{**FAILS, "failing": failing, "events": 3})
    assert "Consumer cli.mail has failed 3 times since it was started" in run("status").out
    beat("web1:1", handled=5)
    assert run("status").code == 0, "those that fail have failed once each"
    beat("web1:2", **FAILS)
    assert "has failed 600 times in 1 of its 3 processes since" in run("status").out


@pytest.mark.parametrize("state", ["paused", "waiting", "starting"])
def test_what_stands_still_with_a_reason_is_told_by_that_alone(run, state):
    beat(state=state, **FAILS)
    assert "has failed" not in run("status").out


def test_what_is_gone_is_told_by_that_alone(run):
    beat(**FAILS)
    Heartbeat.objects.filter(role="consumer").update(seen_at=Now() - timedelta(minutes=5))
    assert "has failed" not in run("status").out


def test_a_handler_that_does_not_come_back_is_one_and_names_its_process(run):
    beat(**HANGS)
    answer = run("status")
    assert answer.code == 1
    assert answer.out.startswith("A handler of cli.mail has run for 4 min in process web1:11. If it hangs, start")
    assert "    py-spy dump --pid 11 (or docs/runbooks/deaf-consumer.md says where to look)\n" in answer.out


def test_a_handler_behind_which_others_wait_is_told_after_a_minute_whatever_its_timeout(run):
    beat(depth=199, running_for=65, stalled=65, timeout=600)
    assert "cli.mail has run for 1 min in process web1:11, and 199 events wait." in run("status").out


def test_a_consumer_that_takes_nothing_though_events_wait_is_one(run):
    beat(depth=3, stalled=310)
    answer = run("status")
    assert answer.code == 1
    assert answer.out.startswith("3 events wait for consumer cli.mail, which has handled none for 5 min.\n")
    beat("web1:12", depth=3, stalled=10)
    assert run("status").code == 0, "the other one works, as of an ordered consumer"


def test_what_waits_on_the_embedded_broker_for_its_next_attempt_is_none_that_is_left_lying(run):
    beat(depth=3, stalled=310)
    BrokerMessage.objects.create(queue="cli.mail", body=b"", headers="", ready_at=Now() + timedelta(hours=1))
    assert run("status").code == 0


@pytest.mark.parametrize(("figures", "state"), [(FAILS, "fails"), (HANGS, "hangs"), ({"stalled": 310}, "stands still")])
def test_its_card_on_the_event_bus_is_neither_green_nor_idle(admin_client, figures, state):
    beat(depth=3, **figures)
    assert (card().state, card().mood, card().tone) == (state, "busy", "busy")
    page = admin_client.get("/admin/eventbridge/eventbus/").content.decode()
    assert "1 thing to look at" in page
    assert "idle" not in page.partition('id="consumer-cli.mail"')[2].partition("</section>")[0]


# --- real consumers ------------------------------------------------------------------------------


@pytest.fixture
def consume(run, daemon: Callable[..., Process]) -> Callable[[str], Process]:
    """Starts a consumer that finds three events in its queue."""

    def consume(module: str) -> Process:
        run("topology", "--apply", module)
        for n in range(3):
            emit(OrderSaved(order_id=f"01234567-89ab-cdef-0123-00000000000{n}", paid=True, created=True))
        run("relay", "--drain")
        return daemon("eventbridge", "consume", module)

    return consume


def test_a_consumer_that_fails_at_everything_is_seen_within_two_heartbeats(run, consume):
    Note.objects.create(text="fail")
    consume("tests.cli.shop_consumers")
    out = wait_for(lambda: "has failed" in (out := run("status").out) and out, 20, 0.2, "status to say it")
    assert "since it was started" in out
    assert Heartbeat.objects.get(role="consumer").figures["module"] == "tests.cli.shop_consumers"
    assert ": ValueError: as the note says. Mend that;" in out


def test_a_handler_that_hangs_is_seen(run, consume, monkeypatch):
    monkeypatch.setattr(troubles, "BLOCKING", 2)
    process = consume("tests.cli.stuck_consumer")
    out = wait_for(lambda: "A handler of" in (out := run("status").out) and out, 20, 0.2, "status to say it")
    assert f":{process.pid}" in out
    assert ", and 1 event waits." in out
    process.kill()
