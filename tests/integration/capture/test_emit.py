"""emit and emit_many: one statement, in order, all or none, with their cause."""

import threading
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from django.utils.translation import gettext_lazy

from eventbridge import Event, emit, emit_many, event_type
from eventbridge.errors import InvalidEvent
from eventbridge.event import cause
from eventbridge.models import OutboxEntry
from eventbridge.models.outbox import NewEntry
from eventbridge.telemetry import emitted

pytestmark = pytest.mark.django_db
RING = connection.vendor == "postgresql"
"""After COPY PostgreSQL is asked whether to wake the relay; one row's INSERT asks that by itself."""


@event_type("capture.counted.v1", key="number")
class Counted:
    number: int
    text: str = ""


@event_type("capture.unwanted.v1", mandatory=False)
class Unwanted:
    number: int


def numbers(recorded) -> list[int]:
    return [data["number"] for data in recorded()]


def test_the_event_that_is_returned_is_the_one_that_is_recorded(envelopes):
    event = emit(Counted(number=5))
    [envelope] = envelopes()
    assert (envelope["id"], envelope["type"]) == (event.id, "capture.counted.v1")
    assert (envelope["source"], envelope["subject"], envelope["partitionkey"]) == ("/shop", "5", "number:5")
    assert datetime.fromisoformat(envelope["time"]) == event.time
    assert OutboxEntry.objects.get().event_id == event.id
    assert "causationid" not in envelope
    assert "correlationid" not in envelope


def test_the_row_says_whether_somebody_must_want_it():
    emit(Counted(number=1))
    emit(Unwanted(number=2))
    assert list(OutboxEntry.objects.values_list("mandatory", flat=True)) == [True, False]


def test_many_events_are_one_insert(recorded, django_assert_num_queries):
    with django_assert_num_queries(1 + RING):
        emit_many([Counted(number=number) for number in range(1000)])
    assert numbers(recorded) == list(range(1000))


def test_more_than_sqlite_takes_at_once_are_few_statements_in_order(recorded, django_assert_num_queries):
    with django_assert_num_queries(2 if connection.vendor == "sqlite" else 1 + RING):
        emit_many(Counted(number=number) for number in range(6_401))
    assert numbers(recorded) == list(range(6_401))


def test_whoever_looks_at_a_transaction_s_statements_sees_each_event(django_assert_num_queries):
    """A transaction keeps its cursor; one that logs is another."""
    with transaction.atomic():
        emit(Counted(number=1))
        with django_assert_num_queries(2):
            emit(Counted(number=2))
            emit(Counted(number=3))
        logged = len(connection.queries_log)
        emit(Counted(number=4))
        assert len(connection.queries_log) == logged


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgresql
@pytest.mark.parametrize("atomic", [False, True])
def test_a_connection_that_was_lost_meanwhile_is_made_anew(atomic: bool, recorded, monkeypatch):
    """As at the beginning of a request, with CONN_HEALTH_CHECKS."""
    monkeypatch.setitem(connection.settings_dict, "CONN_HEALTH_CHECKS", True)
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    connection.close()
    with transaction.atomic():
        emit(Counted(number=1))
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    connection.close_if_unusable_or_obsolete()
    with transaction.atomic() if atomic else nullcontext():
        emit(Counted(number=2))
    assert numbers(recorded) == [1, 2]
    connection.close()


def test_a_generator_is_taken_and_events_are_returned_in_its_order():
    events = emit_many(Counted(number=number) for number in (3, 1, 2))
    assert [event.data.number for event in events] == [3, 1, 2]
    assert list(OutboxEntry.objects.order_by("id").values_list("event_id", flat=True)) == [e.id for e in events]


def test_no_events_are_no_insert(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert emit_many([]) == []


@pytest.mark.django_db(transaction=True)
def test_one_bad_event_of_many_leaves_none(recorded):
    with pytest.raises(InvalidEvent, match="number"):
        emit_many([Counted(number=1), Counted(number="two"), Counted(number=3)])  # type: ignore[arg-type]
    assert recorded() == []


@pytest.mark.django_db(transaction=True)
def test_a_generator_that_fails_leaves_none_and_its_transaction_cannot_commit(recorded):
    def failing() -> Iterator[Counted]:
        yield Counted(number=1)
        raise OSError("the file ended")

    with transaction.atomic():
        emit(Counted(number=0))
        with pytest.raises(OSError, match="the file ended"):
            emit_many(failing())
    assert recorded() == []


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_a_second_insert_that_fails_takes_the_first_one_along(recorded):
    inserts = []

    def fail_the_second(execute, sql, params, many, context):
        if sql.startswith("INSERT INTO eventbridge_outbox"):
            inserts.append(len(params))
            if len(inserts) == 2:
                raise OperationalError("the disk is full")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_the_second), pytest.raises(OperationalError, match="the disk is full"):
        emit_many(Counted(number=number) for number in range(10_000))
    assert len(inserts) == 2
    assert recorded() == []


@pytest.mark.django_db(transaction=True)
def test_a_row_that_the_database_does_not_take_leaves_none_of_them(recorded):
    """On PostgreSQL they go by COPY, whose errors must be Django's, too; none is cut to fit."""
    rows = [NewEntry(event_id, "capture.counted.v1", True, "", "{}") for event_id in ("1", None, "3")]
    with pytest.raises(IntegrityError):
        OutboxEntry.objects.using("default").record(rows)  # type: ignore[arg-type]
    assert recorded() == []


@pytest.mark.postgresql
def test_a_transaction_that_is_broken_takes_no_more_events():
    with transaction.atomic():
        emit(Counted(number=1))
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT nothing")
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            emit_many([Counted(number=2), Counted(number=3)])


@pytest.mark.parametrize("other", ["text", {"number": 1}, None, Counted, 5])
def test_what_is_no_event_is_refused(other):
    with pytest.raises(TypeError, match=r"is no event|not the class"), transaction.atomic():
        emit(other)


def test_a_single_event_is_no_list_of_events():
    with pytest.raises(TypeError), transaction.atomic():
        emit_many(Counted(number=1))  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_an_event_is_recorded_at_once():
    assert not connection.in_atomic_block
    emit(Counted(number=1))
    seen = []
    thread = threading.Thread(target=lambda: (seen.append(OutboxEntry.objects.count()), connection.close()))
    thread.start()
    thread.join()
    assert seen == [1]


def test_the_time_it_happened_can_be_given(envelopes):
    emit(Counted(number=1), time=datetime(2026, 1, 1, 3, tzinfo=timezone(timedelta(hours=2))))
    assert envelopes()[0]["time"] == "2026-01-01T01:00:00.000000Z"


def test_without_one_it_is_now(envelopes):
    before = datetime.now(UTC)
    emit(Counted(number=1))
    assert before <= datetime.fromisoformat(envelopes()[0]["time"]) <= datetime.now(UTC)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(InvalidEvent, match="time must know its time zone"), transaction.atomic():
        emit(Counted(number=1), time=datetime(2026, 1, 1))  # noqa: DTZ001


def test_lazy_text_is_recorded_as_text(recorded):
    emit(Counted(number=1, text=gettext_lazy("Monday")))  # type: ignore[arg-type]
    assert recorded()[0]["text"] == "Monday"


def test_an_event_that_is_too_large_is_refused_and_its_largest_field_named(settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "MAX_EVENT_BYTES": 500}
    why = r"more than .*MAX_EVENT_BYTES.* \(500\); the largest field is `text`"
    with pytest.raises(InvalidEvent, match=why), transaction.atomic():
        emit(Counted(number=1, text="x" * 400))
    emit(Counted(number=1, text="x" * 100))


def test_size_is_counted_in_bytes(settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "MAX_EVENT_BYTES": 600}
    emit(Counted(number=1, text="x" * 300))
    with pytest.raises(InvalidEvent, match="more than"), transaction.atomic():
        emit(Counted(number=1, text="日" * 300))


def test_source_and_schema_are_those_of_the_settings(settings, envelopes):
    settings.EVENTBRIDGE = {"SOURCE": "/elsewhere", "SCHEMA_URL": "https://schemas.example.org/"}
    emit(Counted(number=1))
    [envelope] = envelopes()
    assert envelope["source"] == "/elsewhere"
    assert envelope["dataschema"] == "https://schemas.example.org/capture.counted.v1.json"


# --- causes ---


@pytest.fixture
def handling():
    """Says which event is being handled, as the worker does."""
    tokens = []
    yield lambda event: tokens.append(cause.set(event))
    for token in reversed(tokens):
        cause.reset(token)


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_an_event_emitted_while_another_is_handled_carries_it_as_its_cause(handling, envelopes):
    handling(Event(id="first", source="/s", type="t", data=None, traceparent=TRACE))
    event = emit(Counted(number=1))
    [envelope] = envelopes()
    assert (envelope["causationid"], envelope["correlationid"]) == ("first", "first")
    assert envelope["traceparent"] == TRACE
    assert (event.causationid, event.correlationid) == ("first", "first")


def test_a_chain_of_events_keeps_the_first_ones_id_and_names_the_last_one(handling, envelopes):
    handling(Event(id="first", source="/s", type="t", data=None))
    second = emit(Counted(number=2))
    handling(second)
    emit_many([Counted(number=3), Counted(number=4)])
    assert [(e["causationid"], e["correlationid"]) for e in envelopes()[1:]] == [(second.id, "first")] * 2


def test_an_event_emitted_in_another_thread_has_no_such_cause(handling):
    handling(Event(id="first", source="/s", type="t", data=None))
    found = []
    thread = threading.Thread(target=lambda: found.append(Event.about(Counted(number=1), source="/s")))
    thread.start()
    thread.join()
    assert found[0].causationid is None


# --- order and threads ---


@pytest.mark.django_db(transaction=True)
def test_ids_grow_in_the_order_of_emission():
    events = [emit(Counted(number=0))]
    with transaction.atomic():
        events += [emit(Counted(number=1)), *emit_many([Counted(number=2), Counted(number=3)])]
        with transaction.atomic():
            events.append(emit(Counted(number=4)))
    rows = OutboxEntry.objects.order_by("id").values_list("event_id", flat=True)
    assert list(rows) == [event.id for event in events]
    assert [entry.event_id for entry in OutboxEntry.objects.pending(10)] == [event.id for event in events]


@pytest.mark.django_db(transaction=True)
def test_threads_emit_without_losing_or_mixing_anything(recorded):
    def work(thread: int) -> None:
        try:
            for step in range(20):
                with transaction.atomic():
                    emit(Counted(number=thread * 100 + step))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = numbers(recorded)
    assert sorted(found) == [thread * 100 + step for thread in range(4) for step in range(20)]
    for thread in range(4):
        own = [number for number in found if number // 100 == thread]
        assert own == sorted(own)


# --- telemetry ---


def test_what_was_recorded_is_told_once_for_all(recorded):
    told = []

    def listen(events, using, **kwargs):
        told.append(([event.data.number for event in events], using))

    emitted.connect(listen)
    try:
        emit_many([Counted(number=1), Counted(number=2)])
    finally:
        emitted.disconnect(listen)
    assert told == [([1, 2], "default")]


def test_a_listener_that_fails_stops_nothing(recorded):
    def listen(**kwargs):
        raise RuntimeError("no matter")

    emitted.connect(listen)
    try:
        emit(Counted(number=1))
    finally:
        emitted.disconnect(listen)
    assert numbers(recorded) == [1]
