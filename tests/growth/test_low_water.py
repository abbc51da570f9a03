"""Looks do not step over what was deleted, and pass over nothing that is committed late, retried or restored."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections

from eventbridge.models import OutboxEntry, low_water
from eventbridge.models.low_water import LowWater
from tests.growth.rows import fill, record
from tests.services.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


@pytest.fixture
def outbox() -> LowWater:
    return LowWater("default")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settles at every look, and finds everybody slow."""
    monkeypatch.setattr(low_water, "_SETTLE_EVERY", 0.0)
    monkeypatch.setattr(low_water, "_SLOW", 0.0)


@pytest.fixture
def never_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never looks back after the first time: what is found is found without."""
    monkeypatch.setattr(low_water, "_LOOK_BACK_EVERY", 3600.0)


@pytest.fixture
def other() -> Iterator[Any]:
    """A transaction of somebody else."""
    other = connections["default"].copy()
    other.set_autocommit(False)
    yield other
    other.close()


def relay(outbox: LowWater) -> list[str]:
    """Look, and delete what was found."""
    found = outbox.look(500)
    OutboxEntry.objects.using("default").done([entry.id for entry in found])
    return [entry.event_id for entry in found]


def relay_all(outbox: LowWater) -> list[str]:
    everything = []
    while found := relay(outbox):
        everything += found
    return everything


def last_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM eventbridge_outbox_id_seq")
        return int(cursor.fetchone()[0])


def test_ids_that_went_back_are_found_at_once_after_the_first_look_back(outbox: LowWater, never_back: None):
    """As after a restored backup, or TRUNCATE … RESTART IDENTITY."""
    fill(300)
    relay_all(outbox)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE eventbridge_outbox RESTART IDENTITY")
    record("first")
    outbox.mark = 0  # it is time to look back
    assert relay(outbox) == ["first"]
    record("second")
    assert relay(outbox) == ["second"]


def test_the_mark_follows_what_is_relayed_while_a_snapshot_is_held_elsewhere(outbox: LowWater, impatient: None, other):
    with other.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT count(*) FROM eventbridge_outbox")
    fill(3000)
    assert len(relay_all(outbox)) == 3000
    assert relay(outbox) == []
    assert outbox.mark == last_id()


@pytest.mark.usefixtures("impatient", "never_back")
@pytest.mark.parametrize("settles", [True, False])
def test_an_id_that_is_committed_late_comes_before_whatever_was_recorded_after_it(
    outbox: LowWater, other, settles: bool
):
    for n in range(3):
        outbox._settles = 0.0
        with other.cursor() as cursor:
            record(f"late {n}", cursor)
        record(f"early {n}")
        for _ in range(4):
            relay(outbox)
        assert outbox.mark == last_id()
        outbox._settles = 0.0 if settles else time.monotonic() + 3600
        other.commit()
        record(f"after {n}")
        assert relay(outbox) == [f"late {n}", f"after {n}"]


@pytest.mark.usefixtures("never_back")
def test_the_mark_waits_for_whoever_may_have_a_lower_id(outbox: LowWater, monkeypatch: pytest.MonkeyPatch, other):
    monkeypatch.setattr(low_water, "_SETTLE_EVERY", 0.0)
    record("first")
    relay_all(outbox)
    relay(outbox)
    before = outbox.mark
    with other.cursor() as cursor:
        record("late", cursor)
    fill(100)
    assert len(relay_all(outbox)) == 100
    assert outbox.mark == before == last_id() - 101
    other.commit()
    assert relay(outbox) == ["late"]
    relay(outbox)
    relay(outbox)
    assert outbox.mark == last_id()


@pytest.mark.usefixtures("impatient", "never_back")
def test_somebody_who_ends_between_two_looks_is_missed_by_neither(outbox: LowWater, other):
    """Two of them: the mark is above what both may commit, and each ends at another moment."""
    another = connections["default"].copy()
    another.set_autocommit(False)
    try:
        for who, name in ((other, "one"), (another, "two")):
            with who.cursor() as cursor:
                record(name, cursor)
        record("early")
        for _ in range(4):
            relay(outbox)
        another.rollback()
        assert relay(outbox) == []
        other.commit()
        assert relay(outbox) == ["one"]
    finally:
        another.close()


@pytest.mark.usefixtures("impatient")
def test_an_event_that_is_given_back_is_found_though_it_lies_below(outbox: LowWater):
    record("parked")
    OutboxEntry.objects.update(parked_at="2020-01-01T00:00:00Z")
    fill(10)
    relay_all(outbox)
    relay(outbox)
    assert outbox.mark == last_id()
    assert OutboxEntry.objects.using("default").retry() == 1
    began = time.monotonic()
    wait_for(lambda: relay(outbox) == ["parked"], what="the event that was given back")
    assert time.monotonic() - began < low_water._LOOK_BACK_EVERY + 1
