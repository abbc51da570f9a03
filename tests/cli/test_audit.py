"""Who changed what by hand, from the command line."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import DatabaseError, connections
from django.db.models.functions import Now

from eventbridge.models import Audit, BrokerQueue, InboxEntry, OutboxEntry
from eventbridge.models.inbox import InboxQuerySet
from eventbridge.models.outbox import NewEntry
from tests.docs.test_command_line_page import COMMANDS

pytestmark = pytest.mark.django_db(databases=["default", "archive"])
CONSUMERS = "tests.cli.shop_consumers"

DAEMONS = {"relay", "consume"}
"""What they do, nobody does by hand."""
GROUPS = {"dead", "outbox"}
"""They print their help."""
LOOKS = {
    "status": (),
    "doctor": (),
    "describe": (),
    "dead list": (),
    "dead show": ("{letter}",),
    "outbox list": (),
    "topology": ("--plan", CONSUMERS),
}
"""They change nothing, with these arguments."""
AUDITED = {
    "dead replay": ("{letter}",),
    "dead discard": ("{letter}",),
    "outbox retry": ("{parked}",),
    "outbox discard": ("{parked}",),
    "pause": ("relay",),
    "resume": ("relay",),
    "prune": ("--older", "1"),
    "topology --apply": (CONSUMERS,),
}
"""Each is written down by its name, once, with these arguments."""


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


def test_what_is_pruned_is_written_down_with_its_age_and_nothing_if_there_was_nothing(run):
    run("prune")
    assert told() == []
    handled_long_ago(), handled_long_ago()
    run("prune", "--older", "1.5")
    assert told() == [("prune", 2, "inbox, older than 1.5 days")]


def test_what_was_pruned_before_it_was_interrupted_is_written_down(run, monkeypatch):
    chunks = iter([7])

    def prune(self: Any, older: timedelta) -> int:
        for chunk in chunks:
            return chunk
        raise KeyboardInterrupt

    monkeypatch.setattr(InboxQuerySet, "prune", prune)
    with pytest.raises(CommandError, match="Interrupted"):
        run("prune")
    assert told() == [("prune", 7, "inbox, older than 30 days")]


def test_what_is_made_on_the_broker_is_written_down(run):
    run("topology", "--apply", CONSUMERS)
    run("topology", "--apply", CONSUMERS)
    made = "queue cli.mail, binding shop.order.saved.v1 to cli.mail"
    assert told() == [("topology --apply", 2, made), ("topology --apply", 0, "")]


@pytest.mark.django_db(transaction=True)
def test_what_is_made_is_made_though_no_database_keeps_the_audit(run):
    def refuse(execute: Any, sql: str, *arguments: Any) -> Any:
        if Audit._meta.db_table in sql:
            raise DatabaseError("there is no table of that name")
        return execute(sql, *arguments)

    with connections["default"].execute_wrapper(refuse):
        answer = run("topology", "--apply", CONSUMERS)
    assert answer.code == 0
    assert answer.err == "The audit could not be written: there is no table of that name\n"
    assert BrokerQueue.objects.exists()


# --- every command -------------------------------------------------------------------------------


def handled_long_ago() -> None:
    number = InboxEntry.objects.count()
    long_ago = Now() - timedelta(days=99)
    InboxEntry.objects.create(consumer="a", source="/a", event_id=f"event-{number}", handled_at=long_ago)


@pytest.fixture
def scene(run, bury) -> Callable[[tuple[str, ...]], list[str]]:
    """Something for each command to work on; fills the names of it into arguments."""
    letter = bury()
    OutboxEntry.objects.record([NewEntry("a", "shop.a.v1", True, "", "{}")])
    OutboxEntry.objects.update(parked_at=Now(), parked_reason="refused")
    parked = OutboxEntry.objects.get()
    handled_long_ago()
    run("pause", "relay")
    Audit.objects.all().delete()
    return lambda arguments: [part.format(letter=letter.pk, parked=parked.pk) for part in arguments]


@contextmanager
def nothing_is_written() -> Iterator[None]:
    def look(execute: Any, sql: str, *arguments: Any) -> Any:
        assert sql.lstrip().upper().startswith(("SELECT", "PRAGMA", "SHOW")), sql
        return execute(sql, *arguments)

    with ExitStack() as stack:
        for alias in ("default", "archive"):
            stack.enter_context(connections[alias].execute_wrapper(look))
        yield


def test_of_every_command_it_is_known_whether_it_is_audited():
    """A new one that changes something belongs to AUDITED: whoever looks for who did it will ask."""
    assert set(COMMANDS) | {"topology --apply"} == DAEMONS | GROUPS | set(LOOKS) | set(AUDITED)


@pytest.mark.parametrize("command", AUDITED)
def test_each_command_that_changes_something_is_written_down(run, scene, command):
    run(*command.split(), *scene(AUDITED[command]))
    [(what, many, _)] = told()
    assert what == command
    assert many >= 1


@pytest.mark.parametrize("command", LOOKS)
def test_each_other_command_writes_nothing(run, scene, command):
    arguments = scene(LOOKS[command])
    with nothing_is_written():
        run(*command.split(), *arguments)
    assert told() == []
