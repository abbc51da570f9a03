"""pause and resume: daemons of that name stand still, and go on; status says so, and by whom."""

import os
from typing import Any

import pytest
from django.core.management.base import CommandError

from eventbridge import emit
from eventbridge.models import Audit, BrokerMessage, Heartbeat, Hold, OutboxEntry
from tests.services.waiting import wait_for
from tests.shop.contracts import OrderSaved
from tests.shop.models import Note

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "archive"])
CONSUMERS = "tests.cli.shop_consumers"


@pytest.fixture(autouse=True)
def _consumers(settings: Any) -> None:
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "CONSUMERS": [CONSUMERS]}


def save(number: int) -> None:
    emit(OrderSaved(order_id=f"00000000-0000-0000-0000-{number:012}", paid=True, created=True))  # type: ignore[arg-type]


def state_of(role: str) -> str:
    return next(iter(Heartbeat.objects.filter(role=role).values_list("state", flat=True)), "none")


def test_a_relay_that_is_paused_publishes_nothing_until_it_is_resumed(run, daemon):
    daemon("eventbridge", "relay")
    wait_for(lambda: state_of("relay") == "ready", timeout=20, what="the relay to be ready")
    assert run("pause", "relay", "--reason", "the broker is moved").code == 0
    wait_for(lambda: state_of("relay") == "paused", timeout=20, what="the relay to be paused")
    save(1)
    answer = run("status")
    assert answer.code == 2  # no consumer runs; but the pause is said, too
    assert "The relay of database default is paused: 1 event waits" in answer.out
    assert "the broker is moved (" in answer.out
    assert "manage.py eventbridge resume relay\n" in answer.out
    assert OutboxEntry.objects.count() == 1
    assert run("resume", "relay").code == 0
    wait_for(lambda: not OutboxEntry.objects.exists(), timeout=20, what="the event to be relayed")


def test_a_consumer_that_is_paused_finishes_and_takes_nothing_even_when_started_again(run, daemon):
    first = daemon("eventbridge", "consume", CONSUMERS)
    wait_for(lambda: state_of("consumer") == "ready", timeout=20, what="the consumer to be ready")
    assert run("pause", "cli.mail").code == 0
    first.wait_for_output("is paused: by ", timeout=20)
    assert "is waiting" not in first.output
    first.terminate()
    assert first.wait() == 0
    second = daemon("eventbridge", "consume", CONSUMERS)
    second.wait_for_output("is paused: by ", timeout=20)
    save(1)
    run("relay", "--drain")
    assert "is ready" not in second.output
    assert BrokerMessage.objects.count() == 1
    assert run("resume", "cli.mail").code == 0
    wait_for(Note.objects.exists, timeout=20, what="the event to be handled")
    assert second.running


def test_draining_by_hand_does_not_get_around_a_pause(run):
    save(1)
    run("pause", "relay", "--reason", "the broker is moved")
    with pytest.raises(CommandError, match=r"is paused: the broker is moved .*manage\.py eventbridge resume relay"):
        run("relay", "--drain")
    assert OutboxEntry.objects.count() == 1


def test_who_paused_what_and_why_is_written_down(run):
    run("pause", "cli.mail", "--reason", "the mail server is down")
    run("resume", "cli.mail")
    entries = Audit.objects.order_by("id").values_list("what", "about")
    assert list(entries) == [("pause", "consumer cli.mail: the mail server is down"), ("resume", "consumer cli.mail")]
    assert os.uname().nodename in Audit.objects.first().who  # type: ignore[union-attr]


def test_a_consumer_that_nobody_knows_cannot_be_paused(run):
    with pytest.raises(CommandError, match=r"no consumer cli\.male\. Known are: cli\.mail; and: relay"):
        run("pause", "cli.male")
    assert not Hold.objects.exists()


def test_to_resume_what_was_not_paused_says_so(run):
    answer = run("resume", "relay")
    assert (answer.code, answer.out) == (1, "relay was not paused.\n")


def test_a_second_database_has_a_relay_of_its_own_to_pause(run):
    answer = run("pause", "relay", "--database", "archive")
    assert "manage.py eventbridge resume relay --database archive" in answer.out
    assert Hold.objects.using("archive").get().name == "archive"
    assert not Hold.objects.exists()
