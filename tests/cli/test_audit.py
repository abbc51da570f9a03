"""Who changed what by hand, from the command line."""

import getpass

import pytest
from django.db.models.functions import Now

from eventbridge.models import Audit, OutboxEntry
from eventbridge.models.outbox import NewEntry

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, int, str]]:
    return list(Audit.objects.order_by("pk").values_list("what", "many", "about"))


def test_what_is_replayed_and_discarded_is_written_down_with_who_did_it(run, bury):
    first, second = bury(), bury()
    run("dead", "replay", "--all", "--yes")
    run("dead", "discard", str(second.pk))
    assert told() == [("dead replay", 2, f"{first.pk}, {second.pk}"), ("dead discard", 1, str(second.pk))]
    entry = Audit.objects.first()
    assert entry.who.startswith(f"{getpass.getuser()}@")
    assert entry.via == Audit.Via.COMMAND


def test_parked_events_that_are_retried_or_discarded_are_written_down(run):
    OutboxEntry.objects.record([NewEntry(event_id, "shop.a.v1", True, "", "{}") for event_id in "ab"])
    OutboxEntry.objects.update(parked_at=Now(), parked_reason="refused")
    first, second = OutboxEntry.objects.all()
    run("outbox", "retry", str(first.pk))
    run("outbox", "discard", str(second.pk))
    assert told() == [("outbox retry", 1, str(first.pk)), ("outbox discard", 1, str(second.pk))]


def test_what_was_only_tried_is_not_written_down(run, bury):
    bury()
    run("dead", "replay", "--all", "--dry-run")
    assert told() == []
