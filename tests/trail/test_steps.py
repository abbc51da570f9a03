"""What is written of an event's journey, by whom, and that nobody is harmed where it cannot be written."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection, transaction
from django.db.models.functions import Now

from eventbridge import emit, emit_many
from eventbridge import trail as module
from eventbridge.assembly import make_relay
from eventbridge.models import DeadLetter, OutboxEntry, TrailStep
from eventbridge.models.trail import NewStep
from tests.e2e.notes import Told
from tests.services.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "archive"])
DAY = 86400.0


def step(event_id: str = "e", at: datetime | None = None, what: str = "relayed", **more: Any) -> NewStep:
    return NewStep(event_id, "e2e.told.v1", "", "", what, at or datetime.now(UTC), **more)


def whats(steps: list[TrailStep], consumer: str = "") -> list[str]:
    return [step.what for step in steps if step.consumer == consumer]


# --- who writes what -----------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_every_process_writes_its_part_of_a_journey(trail_on, steps, daemon):
    consumers = daemon("eventbridge", "consume", "tests.e2e.notes", env={"SHOP_TRAIL": "1"})
    consumers.wait_for_output("consumer e2e.outside is ready")
    event = emit(Told(text="a", does="fail", key="7"))
    daemon("eventbridge", "relay", env={"SHOP_TRAIL": "1"})

    journey = steps(event.id, 8, timeout=40)  # e2e.notes: two retries and a death; the others: one each

    assert [step.what for step in journey[:2]] == ["recorded", "relayed"]
    assert whats(journey, "e2e.notes") == ["retried", "retried", "dead"]
    assert [step.attempt for step in journey if step.consumer == "e2e.notes"] == [1, 2, 3]
    retried, dead = journey[[s.what for s in journey].index("retried")], journey[-1]
    assert retried.note == "ValueError('as it was told'); next attempt in 0.2 s"
    assert dead.note == "ValueError: as it was told"
    for name in ("e2e.others", "e2e.ordered", "e2e.outside"):
        assert whats(journey, name) == ["handled"]
    handled = next(step for step in journey if step.what == "handled")
    assert handled.milliseconds > 0
    assert {step.subject for step in journey if step.what != "relayed"} == {"7"}

    DeadLetter.objects.replay()
    again = steps(event.id, 12, timeout=40)
    assert whats(again, "e2e.notes")[3:] == ["replayed", "retried", "retried", "dead"]


def test_what_was_emitted_is_recorded_when_it_is_committed(trail_on, steps):
    with transaction.atomic():
        event = emit(Told(text="a", key="k"))
        assert not len(module.trail._steps)
    [recorded] = steps(event.id, 1)
    assert (recorded.what, recorded.type, recorded.subject) == ("recorded", "e2e.told.v1", "k")


def test_what_is_rolled_back_leaves_no_trail(trail_on, steps):
    with transaction.atomic():
        emit(Told(text="a"))
        with transaction.atomic():
            emit(Told(text="ghost"))
            transaction.set_rollback(True)
    last = emit(Told(text="b"))
    steps(last.id, 1)
    assert TrailStep.objects.count() == 2


def test_an_event_that_nobody_wants_is_parked_with_the_reason(trail_on, steps):
    event = emit(Told(text="a"))
    make_relay("default").poll()
    parked = steps(event.id, 2)[1]
    assert parked.what == "parked"
    assert parked.note == OutboxEntry.objects.get().parked_reason != ""


def test_events_of_a_second_database_are_on_the_same_trail(trail_on, steps):
    event = emit(Told(text="a"), using="archive")
    assert whats(steps(event.id, 1)) == ["recorded"]


def test_a_process_that_ends_has_written_all(daemon):
    script = (
        "from eventbridge import emit_many; from tests.e2e.notes import Told;"
        "emit_many(Told(text=str(n)) for n in range(2500))"
    )
    assert daemon("shell", "-c", script, env={"SHOP_TRAIL": "1"}).wait() == 0
    assert TrailStep.objects.filter(what="recorded").count() == 2500


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_leaves_its_parents_steps_to_the_parent(trail_on, monkeypatch):
    monkeypatch.setattr(module.Trail, "_start", lambda _: None)
    module.trail.add([step()])
    child = os.fork()
    if not child:
        os._exit(len(module.trail._steps))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(module.trail._steps) == 1
    module.trail._steps.clear()


# --- off, and a sample ---------------------------------------------------------------------------


def test_off_it_is_not_even_imported(daemon):
    script = "import sys; assert 'eventbridge.trail' not in sys.modules; print('absent')"
    daemon("shell", "-c", script).wait_for_output("absent")


def test_a_sample_is_of_whole_journeys(trail_on, steps, settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRAIL_SAMPLE": 0.3}
    events = emit_many(Told(text=str(n)) for n in range(300))
    make_relay("default").poll()
    wait_for(lambda: TrailStep.objects.filter(what="parked").exists() and not module.trail._steps)
    module.trail.close()
    followed = {
        what: set(TrailStep.objects.filter(what=what).values_list("event_id")) for what in ("recorded", "parked")
    }
    assert followed["recorded"] == followed["parked"]
    assert 40 < len(followed["recorded"]) < 150
    assert len(events) == 300


@pytest.mark.parametrize(
    ("values", "id_"),
    [
        ({"TRAIL_SAMPLE": 1.5}, "eventbridge.E008"),
        ({"TRAIL_SAMPLE": 0}, "eventbridge.E002"),
        ({"TRAIL_RETENTION": -1}, "eventbridge.E002"),
        ({"TRAIL": "yes"}, "eventbridge.E002"),
    ],
)
def test_values_that_cannot_be_meant_are_found(settings, values, id_):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, **values}
    assert id_ in [problem.id for problem in run_checks()]


# --- it harms nobody -----------------------------------------------------------------------------


def test_where_the_trail_cannot_be_written_events_go_on_and_it_goes_on_when_it_can(trail_on, steps, caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE eventbridge_trail RENAME TO elsewhere")
        emit(Told(text="a"))
        wait_for(lambda: "the event trail" in caplog.text)
        cursor.execute("ALTER TABLE elsewhere RENAME TO eventbridge_trail")
    event = emit(Told(text="b"))
    steps(event.id, 1, timeout=20)
    assert OutboxEntry.objects.count() == 2


@pytest.mark.postgresql
def test_steps_wait_while_the_database_is_away(trail_on, steps, postgresql_in_danger, caplog):
    postgresql_in_danger.stop()
    module.trail.add([step("late")])
    wait_for(lambda: "the event trail waits for database default" in caplog.text)
    postgresql_in_danger.start()
    connection.close()
    assert whats(steps("late", 1, timeout=20)) == ["relayed"]


def test_memory_has_an_end_and_what_is_lost_is_told(trail_on, steps, monkeypatch, caplog):
    monkeypatch.setattr(module, "_MOST", 100)
    trail = module.Trail()
    with monkeypatch.context() as slow:
        slow.setattr(module.Trail, "_start", lambda _: None)
        trail.add([step(str(n)) for n in range(60)])
        trail.add([step(str(n)) for n in range(60, 105)])
    trail.add([step("last")])
    steps("last", 1)
    trail.close()
    assert TrailStep.objects.count() == 100
    assert not TrailStep.objects.filter(event_id__in=["0", "5"]).exists()
    assert "6 steps of the event trail are lost" in caplog.text


def test_whatever_another_service_sends_can_be_written(trail_on, steps):
    class Foreign:
        id, type, subject, causationid = "nul\x00 in it", "t" * 300, "a\ud800b", None

    module.trail.add([module._of_event(Foreign, "handled", consumer="c")])
    assert len(steps(r"nul\x00 in it", 1)[0].type) == 255


# --- it ends -------------------------------------------------------------------------------------


def test_old_steps_go_as_new_ones_come(trail_on, steps, settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRAIL_RETENTION": 3 * DAY}
    now = datetime.now(UTC)
    TrailStep.objects.write([step(f"old {n}", now - timedelta(days=4, seconds=-n)) for n in range(5)])
    TrailStep.objects.write([step("young", now - timedelta(days=2))])
    module.trail.add([step("new")])
    wait_for(lambda: TrailStep.objects.filter(event_id__startswith="old").count() == 3)
    module.trail.add([step("new"), step("new")])
    wait_for(lambda: not TrailStep.objects.filter(event_id__startswith="old").exists())
    assert TrailStep.objects.filter(event_id="young").exists()


@pytest.mark.parametrize("use_tz", [True, False])
def test_times_are_by_the_databases_clock_with_time_zones_or_without(settings, use_tz):
    settings.USE_TZ, settings.TIME_ZONE = use_tz, "Asia/Tokyo"
    connection.close()
    TrailStep.objects.write([step()])
    [(at, now)] = TrailStep.objects.values_list("at", Now())
    assert abs(now - at) < timedelta(seconds=5)
