"""eventbridge prune: what the inbox forgets."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management.base import CommandError
from django.db.models.functions import Now

from eventbridge.models import InboxEntry, TrailStep
from eventbridge.models.trail import NewStep

pytestmark = pytest.mark.django_db(databases=["default"])


def handled(event_id: str, days: float) -> None:
    InboxEntry.objects.create(
        consumer="shop.mail", source="/shop", event_id=event_id, handled_at=Now() - timedelta(days=days)
    )


def test_what_was_handled_longer_ago_than_the_retention_is_forgotten(run):
    handled("old", 31), handled("young", 29)
    assert run("prune").out == "Forgot 1 event handled more than 30 days ago.\n"
    assert [entry.event_id for entry in InboxEntry.objects.all()] == ["young"]


def test_another_age_can_be_asked_for(run):
    handled("old", 31), handled("young", 29)
    assert run("prune", "--older", "1.5").out == "Forgot 2 events handled more than 1.5 days ago.\n"


def test_the_trail_forgets_what_is_older_than_its_own_retention(run):
    now = datetime.now(UTC)
    for event_id, days in (("old", 8), ("young", 6)):
        TrailStep.objects.write([NewStep(event_id, "shop.a.v1", "", "", "recorded", now - timedelta(days=days))])
    assert "trail" not in run("prune", "--older", "1").out
    assert "Forgot 1 step of the event trail.\n" in run("prune").out
    assert TrailStep.objects.get().event_id == "young"


def test_programs_are_told_how_much_was_forgotten_as_one_document(run):
    handled("old", 31), handled("young", 29)
    at = datetime.now(UTC) - timedelta(days=8)
    TrailStep.objects.write([NewStep("old", "shop.a.v1", "", "", "recorded", at)])
    assert json.loads(run("prune", "--json").out) == {"events": 1, "trail_steps": 1}
    assert json.loads(run("prune", "--json").out) == {"events": 0, "trail_steps": 0}


@pytest.mark.parametrize("days", ["-1", "nan", "inf"])
def test_an_age_that_is_none_is_refused(run, days):
    with pytest.raises(CommandError, match="--older is a number of days"):
        run("prune", f"--older={days}")


def test_a_terminal_sees_the_progress(run, at_a_terminal):
    handled("old", 31)
    assert "forgotten: 1" in run("prune", terminal=True).err
