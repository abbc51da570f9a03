"""Viewers share what the bus page tells, and however long it takes to tell it, the databases get their rest."""

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from eventbridge.admin import glance
from eventbridge.admin.glance import Glances
from eventbridge.status import Report
from tests.admin.test_rows import act


class Clock:
    """``takes``: seconds that a glance takes."""

    now, takes, taken = 1000.0, 0.1, 0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    def take() -> Report:
        clock.now += clock.takes
        clock.taken += 1
        return Report()

    monkeypatch.setattr(glance, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(glance, "take_report", take)
    monkeypatch.setattr(glance, "flow_of", lambda _: object())
    return clock


def test_whoever_looks_within_two_seconds_sees_the_same(clock: Clock) -> None:
    glances = Glances()
    first = glances.look()
    clock.now += 1.5
    assert glances.look() is first
    clock.now += 0.6
    assert glances.look() is not first
    assert clock.taken == 2


@pytest.mark.parametrize(("takes", "good_for"), [(0.1, 2), (1.5, 15), (30, 60)])
def test_what_takes_long_is_asked_for_less_often(clock: Clock, takes: float, good_for: float) -> None:
    clock.takes = takes
    glances = Glances()
    began = clock.now
    first = glances.look()
    clock.now = began + good_for - 0.01
    assert glances.look() is first
    clock.now = began + good_for
    assert glances.look() is not first


def test_those_who_look_at_the_same_time_wait_for_one_look(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    begun, go_on = threading.Event(), threading.Event()
    take: Callable[[], Report] = glance.take_report

    def slowly() -> Report:
        begun.set()
        assert go_on.wait(10)
        return take()

    monkeypatch.setattr(glance, "take_report", slowly)
    glances, seen = Glances(), []
    viewers = [threading.Thread(target=lambda: seen.append(glances.look())) for _ in range(5)]
    for viewer in viewers:
        viewer.start()
    assert begun.wait(10)
    go_on.set()
    for viewer in viewers:
        viewer.join(10)
    assert len(seen) == 5
    assert len(set(map(id, seen))) == 1
    assert clock.taken == 1


def test_a_look_that_fails_is_not_kept(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    glances, take = Glances(), glance.take_report
    monkeypatch.setattr(glance, "take_report", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        glances.look()
    monkeypatch.setattr(glance, "take_report", take)
    assert glances.look()


@pytest.mark.django_db(databases=["default", "archive"])
def test_what_was_done_here_is_seen_at_once(admin_client, bury) -> None:
    letter = bury()
    bus = "/admin/eventbridge/eventbus/"
    assert "1 dead" in admin_client.get(bus).content.decode()
    bury()
    assert "2 dead" not in admin_client.get(bus).content.decode(), "two seconds are not over"
    act(admin_client, "deadletter", "discard", letter)
    bury()
    assert "2 dead" in admin_client.get(bus).content.decode()
