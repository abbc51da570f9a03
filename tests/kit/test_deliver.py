"""deliver(): what its handlers do, how it settles, and what it never does."""

import threading
from contextlib import suppress
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from eventbridge import Consumer, Event, Reject, Retry, emit, emit_many, event_type, telemetry
from eventbridge.errors import MalformedMessage, RolledBack
from eventbridge.models import DeadLetter, InboxEntry, Lease, OutboxEntry
from eventbridge.outage import Hindered
from eventbridge.testing import assert_published, captured_events, deliver
from tests.kit.parts import Ordered, Packed, log, notes, packing, sending, write
from tests.shop.models import Note, Tag

pytestmark = pytest.mark.django_db


@event_type("kit.counted.v1")
class Counted:
    number: int


def counter(function: Any, **policy: Any) -> Consumer:
    """A consumer with this handler."""
    consumer = Consumer("kit.counter", **policy)
    consumer.handles(Counted)(function)
    return consumer


def count(event: Event[Counted]) -> None:
    write(str(event.data.number))


def ignore(event: Event[Any]) -> None:
    pass


def test_an_event_is_handled_in_the_tests_own_transaction():
    emit(Ordered(number=1))
    [settled] = deliver(packing)

    assert (settled.consumer, settled.state, settled.attempt, settled.error) == ("kit.packing", "handled", 1, None)
    assert settled.event.data == Ordered(number=1)
    assert connection.in_atomic_block
    assert notes()[0] == "packed lamp"


def test_what_handlers_emit_is_delivered_too_with_its_cause():
    ordered = emit(Ordered(number=1))
    settled = deliver(packing, sending, log)

    assert [str(each) for each in settled] == [
        "kit.packing handled kit.ordered.v1 (attempt 1)",
        "kit.log handled kit.ordered.v1 (attempt 1)",
        "kit.sending handled kit.packed.v1 (attempt 1)",
        "kit.log handled kit.packed.v1 (attempt 1)",
    ]
    assert not OutboxEntry.objects.exists()
    assert assert_published(Packed).causationid == ordered.id
    assert "log kit.packed.v1 lamp" in notes()


def test_consumers_are_those_of_the_settings_if_none_are_named(settings: Any):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "CONSUMERS": ["tests.kit.parts"]}
    emit(Packed(item="lamp"))

    assert [each.consumer for each in deliver()] == ["kit.sending", "kit.log"]


def test_consumers_may_be_named_by_their_modules():
    emit(Packed(item="lamp"))
    assert [each.consumer for each in deliver("tests.kit.parts")] == ["kit.sending", "kit.log"]


def test_no_consumers_and_wrong_ones_are_said_so():
    with pytest.raises(LookupError, match="there are no consumers"):
        deliver()
    with pytest.raises(LookupError, match="there is no module 'nowhere'"):
        deliver("nowhere")
    with pytest.raises(TypeError, match="consumers, or the names of their modules, not <function"):
        deliver(count)  # type: ignore[arg-type]
    with pytest.raises(LookupError, match=r"two consumers are named 'kit\.counter'"):
        deliver(counter(count), counter(count))


def test_an_event_goes_to_whom_it_is_bound_and_to_nobody_else():
    narrow, wide, other = Consumer("kit.narrow"), Consumer("kit.wide"), Consumer("kit.other")
    narrow.handles("kit.*.v1")(ignore)
    wide.handles("kit.#")(ignore)
    other.handles("kit.*")(ignore)
    emit(Counted(number=1))

    assert [each.consumer for each in deliver(narrow, wide, other)] == ["kit.narrow", "kit.wide"]


def test_an_event_that_nobody_here_handles_is_taken_as_somebody_elses():
    emit(Counted(number=1))

    assert deliver(packing) == []
    assert not OutboxEntry.objects.exists()
    assert [event.data for event in captured_events()] == [Counted(number=1)]


def test_a_second_call_delivers_nothing_again():
    emit(Counted(number=1))
    assert len(deliver(counter(count))) == 1
    assert deliver(counter(count)) == []


def test_an_event_that_was_handled_before_is_skipped_as_a_duplicate():
    event = emit(Counted(number=1))
    InboxEntry.objects.using("default").claim("kit.counter", [(event.source, event.id)])

    assert [each.state for each in deliver(counter(count))] == ["duplicate"]
    assert notes() == []


def test_events_come_in_their_order_in_batches_as_large_as_the_consumer_says():
    batches: list[int] = []

    def note_the_batch(sender: Any, batch: int, **kwargs: Any) -> None:
        batches.append(batch)

    telemetry.handled.connect(note_the_batch)
    emit_many(Counted(number=number) for number in range(7))
    settled = deliver(counter(count, batch=3))
    telemetry.handled.disconnect(note_the_batch)

    assert [each.state for each in settled] == ["handled"] * 7
    assert notes() == ["0", "1", "2", "3", "4", "5", "6"]
    assert batches == [3, 3, 3, 3, 3, 3, 1]


def test_handlers_run_in_the_tests_thread_whatever_the_concurrency():
    emit_many([Counted(number=1), Counted(number=2)])
    threads = []

    def note_the_thread(event: Event[Counted]) -> None:
        threads.append(threading.current_thread())

    deliver(counter(note_the_thread, concurrency=4))

    assert set(threads) == {threading.current_thread()}


# --- failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "kind", "words"),
    [
        ("piano", ValueError, "no box for a piano"),
        ("air", Reject, "nothing was ordered"),
        ("bread", Retry, "not baked"),
        ("twins", IntegrityError, "(?i)unique"),
    ],
)
def test_a_failing_handlers_exception_is_raised_to_the_test(item: str, kind: type[Exception], words: str):
    emit(Ordered(number=1, item=item))

    with pytest.raises(kind, match=words):
        deliver(packing)
    assert notes() == []  # and the transaction goes on


def test_its_traceback_begins_in_the_handler():
    emit(Ordered(number=1, item="piano"))
    with pytest.raises(ValueError, match="piano") as raised:
        deliver(packing)

    ours = [entry.path.name for entry in raised.traceback if "eventbridge/" in str(entry.path)]  # type: ignore[union-attr]
    assert ours == ["delivery.py"]
    assert raised.traceback[-1].name == "pack"


def test_the_others_are_delivered_before_a_failure_is_raised_and_told_with_it():
    emit_many(Ordered(number=number, item=item) for number, item in enumerate(["piano", "air", "lamp"]))
    with pytest.raises(ValueError, match="piano") as raised:
        deliver(packing)

    assert raised.value.__notes__ == [
        "also failed: kit.packing dead kit.ordered.v1 (attempt 1): Reject('nothing was ordered')"
    ]
    assert notes() == ["packed lamp", "committed lamp"]


def test_collected_failures_are_settled_as_the_worker_would():
    emit_many(Ordered(number=number, item=item) for number, item in enumerate(["piano", "air", "bread", "lamp"]))
    settled = deliver(packing, failures="collect")

    assert [(each.state, each.after) for each in settled] == [
        ("retried", 5),
        ("dead", None),
        ("retried", 30),
        ("handled", None),
    ]
    assert [type(each.error) for each in settled] == [ValueError, Reject, Retry, type(None)]
    assert [letter.reason for letter in DeadLetter.objects.all()] == [DeadLetter.Reason.REJECTED]


def test_with_retry_the_ladder_is_climbed_at_once_to_its_end():
    emit(Ordered(number=1, item="piano"))
    settled = deliver(packing, failures="retry")

    assert [(each.state, each.attempt, each.after) for each in settled] == [
        ("retried", 1, 5),
        ("retried", 2, 30),
        ("dead", 3, None),
    ]
    assert DeadLetter.objects.get().attempts == 3


def test_with_retry_a_handler_may_succeed_in_a_later_attempt():
    tries: list[int] = []

    def flaky(event: Event[Counted]) -> None:
        tries.append(event.data.number)
        if len(tries) < 3:
            raise OSError

    emit_many([Counted(number=1), Counted(number=2)])
    settled = deliver(counter(flaky, retries=(1, 2)), failures="retry")

    assert tries == [1, 2, 1, 2]
    assert [each.state for each in settled] == ["retried", "retried", "handled", "handled"]


def test_an_ordered_consumer_retries_in_place():
    tries: list[int] = []

    def flaky(event: Event[Counted]) -> None:
        tries.append(event.data.number)
        if len(tries) < 3:
            raise OSError

    emit_many([Counted(number=1), Counted(number=2)])
    consumer = counter(flaky, ordered=True, retries=(20, 40))
    settled = deliver(consumer, failures="retry")

    assert tries == [1, 1, 1, 2]
    assert [(each.state, each.attempt, each.after) for each in settled] == [
        ("retried", 1, 20),
        ("retried", 2, 40),
        ("handled", 3, None),
        ("handled", 1, None),
    ]


def test_an_ordered_consumers_failure_is_collected_without_waiting():
    def fail(event: Event[Counted]) -> None:
        raise OSError

    emit(Counted(number=1))
    [settled] = deliver(counter(fail, ordered=True, retries=(20,)), failures="collect")

    assert (settled.state, settled.after) == ("retried", 20)


def test_in_a_batch_the_failing_event_alone_is_charged():
    def fail(event: Event[Counted]) -> None:
        count(event)
        if event.data.number == 2:
            raise ValueError("not that one")

    emit_many(Counted(number=number) for number in range(4))
    settled = deliver(counter(fail, batch=10), failures="collect")

    assert [each.state for each in settled] == ["handled", "handled", "retried", "handled"]
    assert notes() == ["0", "1", "3"]


def test_a_handler_that_breaks_its_transaction_in_silence_fails_as_in_production():
    def swallow(event: Event[Counted]) -> None:
        write("lost")
        with suppress(IntegrityError):
            Tag.objects.create(name="once")
            Tag.objects.create(name="once")

    emit(Counted(number=1))
    with pytest.raises(RolledBack, match="caught a database error"):
        deliver(counter(swallow))
    assert notes() == []


def test_an_event_that_does_not_fit_its_readers_class_is_found():
    @event_type("kit.counted.v1")
    class CountedElsewhere:
        number: str

    reader = Consumer("kit.reader")
    reader.handles(CountedElsewhere)(ignore)
    emit(Counted(number=1))

    [settled] = deliver(reader, failures="collect")
    assert settled.state == "dead"
    assert isinstance(settled.error, MalformedMessage)
    assert settled.event.data == {"number": 1}
    assert DeadLetter.objects.get().reason == DeadLetter.Reason.MALFORMED


def test_ctrl_c_ends_the_test_even_while_failures_are_collected():
    def interrupt(event: Event[Counted]) -> None:
        raise KeyboardInterrupt

    emit(Counted(number=1))
    with pytest.raises(KeyboardInterrupt):
        deliver(counter(interrupt), failures="collect")


def test_a_database_that_fails_is_waited_for_by_no_test():
    emit(Counted(number=1))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE eventbridge_inbox RENAME TO eventbridge_inbox_gone")

    with pytest.raises(Hindered, match="eventbridge_inbox"):
        deliver(counter(count), failures="collect")


def test_handlers_that_emit_without_end_are_stopped():
    def again(event: Event[Counted]) -> None:
        emit(Counted(number=event.data.number + 1))

    emit(Counted(number=1))
    with pytest.raises(RuntimeError, match=r"more than 20 events.* kit\.counter handled kit\.counted\.v1 20 times"):
        deliver(counter(again), limit=20)


def test_the_limit_is_on_what_handlers_emit_only():
    emit_many(Counted(number=number) for number in range(30))
    assert len(deliver(counter(count), limit=1)) == 30


# --- transactions ------------------------------------------------------------------------------


def test_what_a_handler_puts_off_until_its_commit_follows_it():
    emit(Ordered(number=1))
    deliver(packing)

    assert notes() == ["packed lamp", "committed lamp"]


def test_what_a_failed_handler_put_off_is_dropped():
    def fail(event: Event[Counted]) -> None:
        transaction.on_commit(lambda: write("committed"))
        raise ValueError

    emit(Counted(number=1))
    deliver(counter(fail), failures="collect")

    assert notes() == []


def test_what_the_test_itself_put_off_is_left_to_it(django_capture_on_commit_callbacks: Any):
    with django_capture_on_commit_callbacks() as callbacks:
        transaction.on_commit(lambda: write("of the test"))
        emit(Ordered(number=1))
        deliver(packing)

    assert len(callbacks) == 1
    assert notes() == ["packed lamp", "committed lamp"]


def test_without_atomic_what_was_done_before_a_failure_stays_done():
    emit(Packed(item="glass"))
    settled = deliver(sending, failures="retry")

    assert [each.state for each in settled] == ["retried", "dead"]
    assert notes() == ["sent glass", "sent glass"]


def test_without_atomic_a_database_error_leaves_the_tests_transaction_usable():
    emit(Packed(item="twin tags"))
    with pytest.raises(IntegrityError):
        deliver(sending)

    assert Note.objects.count() == 0  # which autocommit would have kept: a test's transaction has to give it up
    write("it goes on")


def test_without_atomic_a_database_error_that_is_swallowed_fails_too():
    def swallow(event: Event[Counted]) -> None:
        with suppress(IntegrityError):
            Tag.objects.create(name="once")
            Tag.objects.create(name="once")

    emit(Counted(number=1))
    with pytest.raises(RolledBack, match="the handler, in the transaction of its test, caught a database error"):
        deliver(counter(swallow, atomic=False))
    write("it goes on")


def test_without_atomic_a_handled_event_is_in_the_inbox():
    emit(Packed(item="lamp"))
    deliver(sending)

    assert [entry.consumer for entry in InboxEntry.objects.all()] == ["kit.sending"]


def test_a_rollback_takes_all_of_it_along():
    try:
        with transaction.atomic():
            emit(Ordered(number=1))
            deliver(packing, sending)
            raise ValueError
    except ValueError:
        pass

    assert notes() == []
    assert captured_events() == []
    assert not InboxEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_works_where_transactions_commit_too():
    emit(Ordered(number=1))
    emit(Packed(item="glass"))
    settled = deliver(packing, sending, failures="collect")

    assert [each.state for each in settled] == ["handled", "retried", "handled"]
    assert sorted(notes()) == ["committed lamp", "packed lamp", "sent glass", "sent lamp"]
    assert not connection.in_atomic_block
    assert len(captured_events()) == 3
    assert not Lease.objects.exists()
