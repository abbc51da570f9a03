"""Every command, and the admin, in a project without time zones: USE_TZ=False."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.models.functions import Now

from eventbridge import emit
from eventbridge.models import DeadLetter, Heartbeat, InboxEntry, OutboxEntry
from tests.shop.contracts import OrderSaved

pytestmark = pytest.mark.django_db(databases=["default", "archive"])
HOUR = timedelta(hours=1)


@pytest.fixture
def no_zones(settings: Any) -> Any:
    """A project west of Greenwich that keeps no time zones. Its connections are as they would be there."""
    settings.USE_TZ, settings.TIME_ZONE = False, "America/New_York"
    _as_the_settings_say()
    yield
    settings.USE_TZ, settings.TIME_ZONE = True, "UTC"
    _as_the_settings_say()


def _as_the_settings_say() -> None:
    for alias in ("default", "archive"):
        connection = connections[alias]
        for name in ("timezone", "timezone_name"):
            connection.__dict__.pop(name, None)
        connection.ensure_timezone()


@pytest.fixture
def something_everywhere(no_zones: None, bury: Any) -> None:
    """An hour old: a dead letter, a parked event, a pending one, an inbox row; and a relay that beats."""
    bury(consumer="cli.mail")
    DeadLetter.objects.update(died_at=Now() - HOUR)
    for _ in range(2):
        emit(OrderSaved(order_id="00000000-0000-0000-0000-000000000001", paid=True, created=True))  # type: ignore[arg-type]
    OutboxEntry.objects.update(created_at=Now() - HOUR)
    OutboxEntry.objects.filter(pk=OutboxEntry.objects.earliest("pk").pk).update(parked_at=Now() - HOUR)
    InboxEntry.objects.create(consumer="cli.mail", source="/shop", event_id="a", handled_at=Now() - HOUR)
    Heartbeat.objects.beat("web1:10", "relay", "default", "ready", {})


@pytest.mark.usefixtures("something_everywhere")
def test_every_command_knows_how_old_things_are(run):
    assert " 1 h  cli.mail" in run("dead", "list", "--each").out
    assert " 1 h   1 h  cli.mail" in run("dead", "list").out
    assert run("outbox", "list").out.count(" 1 h  shop.order.saved.v1") == 2
    status = run("status").out
    assert "1 pending, oldest 1 h; 1 parked" in status
    assert "ready, web1:10" in status
    assert run("prune", "--older", "0.05").out.startswith("Forgot 0 events")
    assert run("prune", "--older", "0.03").out.startswith("Forgot 1 event ")


@pytest.mark.usefixtures("something_everywhere")
def test_programs_are_told_times_with_their_zone(run):
    letter = str(DeadLetter.objects.get().pk)
    run("dead", "replay", letter)
    told = [json.loads(run("dead", "show", letter, "--json").out)["died_at"]]
    told += [group["first"] for group in json.loads(run("dead", "list", "--group", "--json").out)]
    told += [entry["created_at"] for entry in json.loads(run("outbox", "list", "--json").out)]
    assert len(told) == 4
    for moment in told:
        assert abs(datetime.now(UTC) - datetime.fromisoformat(moment) - HOUR) < timedelta(minutes=1)
    assert "died" in run("dead", "show", letter).out


@pytest.mark.usefixtures("something_everywhere")
def test_verbs_work(run):
    assert run("dead", "replay", "--all").out == "1 dead letter marked for replay.\n"
    assert run("dead", "discard", "--all").out == "1 dead letter discarded.\n"
    assert run("outbox", "retry", "--all").out == "1 parked event given back to the relay.\n"


@pytest.mark.usefixtures("something_everywhere")
@pytest.mark.parametrize("model", ["deadletter", "outboxentry", "inboxentry"])
def test_the_admins_pages_open(admin_client, model):
    assert admin_client.get(f"/admin/eventbridge/{model}/").status_code == 200
    row = {"deadletter": DeadLetter, "outboxentry": OutboxEntry, "inboxentry": InboxEntry}[model].objects.first()
    assert row is not None
    assert admin_client.get(f"/admin/eventbridge/{model}/{row.pk}/change/").status_code == 200


@pytest.mark.usefixtures("something_everywhere")
def test_the_admins_dates_narrow_the_list(admin_client):
    died = DeadLetter.objects.get().died_at
    url = "/admin/eventbridge/deadletter/"
    for query in (f"died_at__year={died.year}", "died_at__gte=2001-01-01+00:00:00"):
        assert b"1 dead letter" in admin_client.get(f"{url}?{query}").content
    assert b"0 dead letters" in admin_client.get(f"{url}?died_at__lt=2001-01-01+00:00:00").content
