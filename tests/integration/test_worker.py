"""The worker, in this process: one effect per event, the ladder, dead letters, suspects, outages."""

import threading
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import suppress
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, InternalError, close_old_connections, connections, transaction

from eventbridge import Consumer, Event, Reject, Retry, emit, event_type
from eventbridge.errors import TopologyMismatch, Unavailable
from eventbridge.event import uuid7
from eventbridge.models import DeadLetter, InboxEntry, OutboxEntry
from eventbridge.models.dead_letter import DeadLetterQuerySet
from eventbridge.models.inbox import InboxQuerySet
from eventbridge.quarantine import Quarantine
from eventbridge.transports import Message
from eventbridge.wire import decode, encode
from eventbridge.worker import Worker
from tests.shop.models import Note, Tag

pytestmark = pytest.mark.django_db(transaction=True)


@event_type("worker.tested.v1", key="number")
class Happened:
    number: int


@event_type("worker.followed.v1")
class Followed:
    number: int


class Delivery:
    """A delivery that remembers how it was settled."""

    def __init__(self, message: Message, attempt: int = 1, *, redelivered: bool = False) -> None:
        self.message, self.attempt, self.redelivered = message, attempt, redelivered
        self.settled: list[Any] = []

    def ack(self) -> None:
        self.settled.append("ack")

    def retry(self, after: float) -> None:
        self.settled.append(after)

    def release(self) -> None:
        self.settled.append("release")


def message(number: int = 1, **changes: Any) -> Message:
    event = Event.about(Happened(number=number), source="/elsewhere")
    fields = {"destination": "", "routing_key": event.type, "body": encode(event), "id": event.id, "type": event.type}
    return Message(**{**fields, **changes})


def delivery(number: int = 1, attempt: int = 1, *, redelivered: bool = False) -> Delivery:
    return Delivery(message(number), attempt, redelivered=redelivered)


def worker(handler: Callable[[Event[Happened]], Any], **policy: Any) -> Worker:
    consumer = Consumer("worker.test", **{"retries": (5, 30), **policy})
    consumer.handles(Happened)(handler)
    return Worker(consumer, threading.Event())


def note(event: Event[Happened]) -> None:
    Note.objects.create(text=str(event.data.number))


def notes() -> list[str]:
    return sorted(Note.objects.values_list("text", flat=True))


def fail(event: Event[Happened]) -> None:
    note(event)
    raise ValueError("no luck")


def test_the_effect_and_the_inbox_row_are_there_before_the_acknowledgement():
    seen = []

    class Watching(Delivery):
        def ack(self) -> None:
            seen.append((notes(), InboxEntry.objects.count(), connections["default"].in_atomic_block))

    worker(note).handle([Watching(message())])
    assert seen == [(["1"], 1, False)]


def test_a_hook_that_fails_after_the_commit_makes_no_failure_of_what_is_done(caplog: pytest.LogCaptureFixture):
    def handler(event: Event[Happened]) -> None:
        note(event)
        transaction.on_commit(lambda: 1 / 0)

    batch = [delivery(number) for number in (1, 2)]
    worker(handler, batch=2).handle(batch)
    assert [each.settled for each in batch] == [["ack"], ["ack"]]
    assert notes() == ["1", "2"]
    assert "worker.test committed its work, then a transaction.on_commit hook failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_an_event_that_is_delivered_twice_takes_effect_once():
    one, other = delivery(), None
    other = Delivery(one.message)
    tested = worker(note)
    tested.handle([one])
    tested.handle([other])
    assert notes() == ["1"]
    assert one.settled == other.settled == ["ack"]


def test_two_consumers_each_handle_the_same_event():
    one = delivery()
    worker(note).handle([one])
    second = Consumer("worker.second")
    second.handles(Happened)(note)
    Worker(second, threading.Event()).handle([Delivery(one.message)])
    assert notes() == ["1", "1"]


def test_a_handler_that_fails_leaves_no_effect_and_climbs_the_ladder():
    tried = [delivery(attempt=1), delivery(attempt=2)]
    tested = worker(fail)
    for attempt in tried:
        tested.handle([attempt])
    assert [attempt.settled for attempt in tried] == [[5], [30]]
    assert notes() == []
    assert not InboxEntry.objects.exists()


def test_after_the_last_rung_it_is_a_dead_letter_with_its_whole_story():
    last = delivery(attempt=3)
    worker(fail).handle([last])
    letter = DeadLetter.objects.get()
    assert last.settled == ["ack"]
    assert bytes(letter.body) == last.message.body
    assert (letter.consumer, letter.type, letter.attempts) == ("worker.test", "worker.tested.v1", 3)
    assert (letter.exception, letter.error, letter.reason) == ("ValueError", "no luck", "failed")
    assert (letter.source, letter.event_id, letter.subject) == ("/elsewhere", last.message.id, "1")
    assert "in fail" in letter.traceback


def test_a_rejected_event_is_a_dead_letter_at_once():
    def reject(event: Event[Happened]) -> None:
        raise Reject("no address")

    rejected = delivery()
    worker(reject).handle([rejected])
    assert rejected.settled == ["ack"]
    assert (DeadLetter.objects.get().reason, DeadLetter.objects.get().error) == ("rejected", "no address")


@pytest.mark.parametrize(("asked", "given"), [(1, 5), (5, 5), (6, 30), (1000, 30), (None, 5)])
def test_retry_rounds_up_to_a_rung_and_no_further_than_the_longest(asked: float | None, given: float):
    def later(event: Event[Happened]) -> None:
        raise Retry(after=asked)

    retried = delivery()
    worker(later).handle([retried])
    assert retried.settled == [given]


def test_retry_is_charged_an_attempt():
    def later(event: Event[Happened]) -> None:
        raise Retry("busy", after=1)

    worker(later).handle([delivery(attempt=3)])
    assert DeadLetter.objects.get().error == "busy"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"body": b"{not json"}, "not a CloudEvent"),
        ({"body": b"\xff\xfe"}, "not a CloudEvent"),
        ({"content_type": "text/plain"}, "no CloudEvents attributes"),
        ({"content_type": "x", "headers": {"a": float("nan"), "b": "\x00"}}, "no CloudEvents attributes"),
        (
            {"body": b'{"specversion":"1.0","id":"1","source":"/x","type":"worker.tested.v1","data":{"number":"x"}}'},
            "$.number",
        ),
    ],
)
def test_what_cannot_be_read_is_a_dead_letter_whole_and_never_retried(change: dict[str, Any], why: str):
    broken = Delivery(message(**change))
    worker(note).handle([broken])
    letter = DeadLetter.objects.get()
    assert (letter.reason, broken.settled, bytes(letter.body)) == ("malformed", ["ack"], broken.message.body)
    assert why in letter.error


def test_an_event_without_a_handler_is_a_dead_letter():
    body = b'{"specversion":"1.0","id":"1","source":"/x","type":"worker.unknown.v1"}'
    worker(note).handle([Delivery(message(body=body))])
    assert DeadLetter.objects.get().reason == "unhandled"


def test_the_same_message_that_dies_twice_is_one_dead_letter():
    first = delivery(attempt=3)
    tested = worker(fail)
    tested.handle([first])
    tested.handle([Delivery(first.message, 3, redelivered=True)])
    assert DeadLetter.objects.count() == 1


def test_another_message_with_the_same_id_has_a_dead_letter_of_its_own():
    first = message()
    tested = worker(fail)
    tested.handle([Delivery(first, 3)])
    tested.handle([Delivery(message(body=first.body.replace(b'"number":1', b'"number":2'), id=first.id), 3)])
    assert DeadLetter.objects.count() == 2


def test_a_pattern_handler_gets_plain_json():
    consumer, seen = Consumer("worker.pattern"), []
    consumer.handles("worker.#")(lambda event: seen.append(event.data))
    Worker(consumer, threading.Event()).handle([delivery(7)])
    assert seen == [{"number": 7}]


def test_an_async_handler_is_awaited():
    seen = []

    async def handler(event: Event[Happened]) -> None:
        seen.append(event.data.number)

    worker(handler).handle([delivery(3)])
    assert seen == [3]


def test_what_a_handler_emits_carries_its_cause_and_goes_with_its_work():
    def follow(event: Event[Happened]) -> None:
        emit(Followed(number=event.data.number))

    cause = delivery()
    worker(follow).handle([cause])
    body = OutboxEntry.objects.get().body
    assert f'"causationid":"{cause.message.id}"' in body
    assert f'"correlationid":"{cause.message.id}"' in body


def test_what_a_failing_handler_emitted_is_gone_with_its_work():
    def follow(event: Event[Happened]) -> None:
        emit(Followed(number=1))
        raise ValueError

    worker(follow).handle([delivery()])
    assert not OutboxEntry.objects.exists()


@event_type("worker.picky.v1")
class Checked:
    number: int

    def __post_init__(self) -> None:
        assert self.number > 0, "numbers are above 0"


def test_a_payload_that_objects_to_its_own_values_is_a_dead_letter():
    consumer = Consumer("worker.picky")
    consumer.handles(Checked)(lambda _: None)
    body = b'{"specversion":"1.0","id":"1","source":"/x","type":"worker.picky.v1","data":{"number":-1}}'
    Worker(consumer, threading.Event()).handle([Delivery(message(body=body), redelivered=True)])
    assert DeadLetter.objects.get().reason == "malformed"
    assert "numbers are above 0" in DeadLetter.objects.get().error


# --- statements of our own that fail ---


@pytest.fixture
def hindered(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[int]]:
    """Makes a verb fail twice, as on a full disk or on a standby: the connection is as good as ever."""

    def hinder(verb: str) -> list[int]:
        owner = DeadLetterQuerySet if verb == "bury" else InboxQuerySet
        real, calls = getattr(owner, verb), []

        def fail_twice(*args: Any) -> Any:
            calls.append(1)
            if len(calls) <= 2:
                raise InternalError("cannot execute INSERT in a read-only transaction")
            return real(*args)

        monkeypatch.setattr(owner, verb, fail_twice)
        return calls

    return hinder


@pytest.mark.parametrize("atomic", [True, False])
def test_an_inbox_that_cannot_be_written_costs_no_attempt_and_no_second_effect(
    hindered: Callable[[str], list[int]], atomic: bool
):
    calls = hindered("claim")
    one = delivery(attempt=3)
    worker(note, atomic=atomic).handle([one])
    assert (notes(), one.settled, len(calls)) == (["1"], ["ack"], 3)


def test_a_suspect_that_cannot_be_marked_waits(hindered: Callable[[str], list[int]]):
    hindered("mark")
    one = delivery(redelivered=True)
    worker(note).handle([one])
    assert (notes(), one.settled) == (["1"], ["ack"])


def test_a_dead_letter_that_cannot_be_written_waits(hindered: Callable[[str], list[int]]):
    hindered("bury")
    one = delivery(attempt=3)
    worker(fail).handle([one])
    assert (DeadLetter.objects.count(), one.settled) == (1, ["ack"])


def test_a_suspect_that_was_handed_back_is_not_charged_for_it():
    suspect = delivery(redelivered=True)
    tested = worker(fail, ordered=True, retries=(50,))
    threading.Timer(0.2, tested.stopping.set).start()
    tested.handle([suspect])
    assert suspect.settled == ["release"]
    assert not InboxEntry.objects.exists()


# --- handlers that lose their transaction ---


def caught(event: Event[Happened]) -> None:
    """What works in a view, in autocommit, rolls everything back here."""
    note(event)
    with suppress(IntegrityError):
        Tag.objects.create(name="taken")


def caught_raw(event: Event[Happened]) -> None:
    note(event)
    with suppress(DatabaseError), connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1 / 0 FROM nowhere")


def close(event: Event[Happened]) -> None:
    note(event)
    connections["default"].close()


def close_old(event: Event[Happened]) -> None:
    note(event)
    close_old_connections()


def set_rollback(event: Event[Happened]) -> None:
    note(event)
    transaction.set_rollback(True)


def roll_back_by_hand(event: Event[Happened]) -> None:
    note(event)
    with connections["default"].cursor() as cursor:
        cursor.execute("ROLLBACK")


LOSERS = [caught, close, close_old, set_rollback, roll_back_by_hand]


@pytest.mark.parametrize("handler", LOSERS)
def test_a_handler_whose_transaction_is_rolled_back_in_silence_has_failed(handler: Callable[..., None]):
    """Django's atomic() then ends without an error: acknowledged, the event would be gone."""
    Tag.objects.create(name="taken")
    lost = delivery()
    worker(handler).handle([lost])
    assert lost.settled == [5]
    assert not InboxEntry.objects.exists()
    last = Delivery(lost.message, 3)
    worker(handler).handle([last])
    assert DeadLetter.objects.get().exception == "eventbridge.errors.RolledBack"


@pytest.mark.postgresql
def test_an_error_of_a_raw_cursor_that_was_caught_is_a_failure_too():
    """PostgreSQL answers COMMIT with ROLLBACK, and Django does not look."""
    lost = delivery()
    worker(caught_raw).handle([lost])
    assert (lost.settled, notes()) == ([5], [])


@pytest.mark.parametrize("handler", LOSERS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_in_a_batch_it_takes_no_neighbour_along(handler: Callable[..., None], place: int):
    Tag.objects.create(name="taken")
    batch = [delivery(n) for n in range(3)]
    worker(lambda event: handler(event) if event.data.number == place else note(event), batch=3).handle(batch)
    assert notes() == [str(n) for n in range(3) if n != place]
    assert [one.settled for one in batch] == [[5] if n == place else ["ack"] for n in range(3)]


def test_an_error_that_is_caught_around_an_atomic_block_of_its_own_is_no_failure():
    def careful(event: Event[Happened]) -> None:
        note(event)
        with suppress(IntegrityError), transaction.atomic():
            Tag.objects.create(name="taken")

    Tag.objects.create(name="taken")
    fine = delivery()
    worker(careful).handle([fine])
    assert (fine.settled, notes()) == (["ack"], ["1"])


def test_without_atomic_a_handler_that_leaves_autocommit_off_has_failed_and_the_next_one_has_not():
    def turn_off(event: Event[Happened]) -> None:
        if event.data.number == 1:
            transaction.set_autocommit(False)
        note(event)

    first, second = delivery(1), delivery(2)
    tested = worker(turn_off, atomic=False)
    tested.handle([first])
    tested.handle([second])
    assert (first.settled, second.settled, notes()) == ([5], ["ack"], ["2"])


@pytest.mark.parametrize("error", [CancelledError(), SystemExit(3), KeyboardInterrupt()])
def test_what_is_no_exception_is_a_failure_like_any_other(error: BaseException):
    def handler(event: Event[Happened]) -> None:
        raise error

    failing = delivery(attempt=3)
    worker(handler).handle([failing])
    assert DeadLetter.objects.get().exception.endswith(type(error).__name__)


@pytest.mark.parametrize(
    "error",
    [
        OSError("no route"),
        SMTPServerDisconnected("gone"),
        MemoryError(),
        Unavailable("no broker"),
        TopologyMismatch("x"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("atomic", [True, False])
def test_an_outage_of_what_a_handler_asks_is_its_failure_and_none_of_ours(error: Exception, atomic: bool):
    """Or an event whose handler raises it would be tried for ever, uncharged."""

    def handler(event: Event[Happened]) -> None:
        raise error

    tested = worker(handler, atomic=atomic)
    first, last = delivery(1), delivery(2, attempt=3)
    tested.handle([first])
    tested.handle([last])
    assert (first.settled, last.settled) == ([5], ["ack"])
    assert DeadLetter.objects.get().exception.endswith(type(error).__name__)


def test_a_retry_that_the_broker_does_not_take_waits_for_it():
    class Away(Delivery):
        def retry(self, after: float) -> None:
            super().retry(after)
            if len(self.settled) == 1:
                raise Unavailable("the broker is away")

    one = Away(message())
    worker(fail).handle([one])
    assert one.settled == [5, 5]
    assert not DeadLetter.objects.exists()


def test_an_exception_that_cannot_say_what_it_is_is_a_dead_letter_too():
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def handler(event: Event[Happened]) -> None:
        raise Mute

    for attempt in (1, 3):
        worker(handler).handle([delivery(attempt=attempt)])
    assert DeadLetter.objects.get().error == "Mute"


# --- batches ---


def test_a_batch_is_one_transaction_and_one_statement_for_the_inbox(django_assert_num_queries: Any):
    batch = [delivery(n) for n in range(5)]
    tested = worker(lambda _: None, batch=5)
    tested.handle([delivery(9)])
    with django_assert_num_queries(3):  # BEGIN, INSERT, COMMIT
        tested.handle(batch)
    assert all(one.settled == ["ack"] for one in batch)


def test_when_one_of_a_batch_fails_the_others_take_effect_once_and_it_alone_is_retried():
    def fail_on_two(event: Event[Happened]) -> None:
        note(event)
        if event.data.number == 2:
            raise ValueError

    batch = [delivery(n) for n in range(4)]
    worker(fail_on_two, batch=4).handle(batch)
    assert notes() == ["0", "1", "3"]
    assert [one.settled for one in batch] == [["ack"], ["ack"], [5], ["ack"]]


def test_one_that_fails_in_a_large_batch_costs_a_few_transactions_more_not_one_for_each():
    handled = []

    def fail_on_two(event: Event[Happened]) -> None:
        handled.append(event.data.number)
        if event.data.number == 2:
            raise ValueError

    batch = [delivery(n) for n in range(64)]
    worker(fail_on_two, batch=64).handle(batch)
    assert [n for n, one in enumerate(batch) if one.settled != ["ack"]] == [2]
    assert len(handled) < 64 * 3
    assert handled[-32:] == list(range(32, 64))


def test_the_same_event_twice_in_a_batch_takes_effect_once():
    one = delivery()
    other = Delivery(one.message)
    worker(note, batch=2).handle([one, other])
    assert notes() == ["1"]
    assert one.settled == other.settled == ["ack"]


# --- outside effects ---


def test_without_atomic_no_transaction_is_open_while_the_handler_runs():
    seen = []
    worker(lambda _: seen.append(connections["default"].in_atomic_block), atomic=False).handle([delivery()])
    assert seen == [False]


def test_without_atomic_a_handled_event_is_not_handled_again():
    seen, one = [], delivery()
    tested = worker(lambda event: seen.append(event.id), atomic=False)
    tested.handle([one])
    tested.handle([Delivery(one.message)])
    assert len(seen) == 1


def test_without_atomic_a_failing_handler_leaves_no_inbox_row():
    worker(fail, atomic=False).handle([delivery()])
    assert not InboxEntry.objects.exists()


# --- suspects ---


def test_a_first_delivery_runs_unmarked_and_a_suspect_is_counted_before_it_runs():
    seen = []
    tested = worker(lambda _: seen.append(list(InboxEntry.objects.values_list("attempts", flat=True))), atomic=False)
    tested.handle([delivery()])
    InboxEntry.objects.all().delete()
    tested.handle([delivery(redelivered=True)])
    assert seen == [[], [1]]


def test_a_suspect_that_succeeds_is_handled_like_any_other():
    suspect = delivery(redelivered=True)
    worker(note).handle([suspect])
    assert (notes(), suspect.settled) == (["1"], ["ack"])
    assert InboxEntry.objects.get().handled_at is not None


def test_a_message_that_kills_its_process_is_dead_after_its_attempts():
    class Killed(BaseException): ...

    def kill(event: Event[Happened]) -> None:
        raise Killed

    killer = message()
    deaths = 0
    tested = worker(kill)
    for _ in range(10):
        last = Delivery(killer, redelivered=deaths > 0)
        try:
            tested.handle([last])
        except Killed:
            deaths += 1
        else:
            break
    # One unmarked, and one for each of its three attempts.
    assert deaths == 4
    assert DeadLetter.objects.get().reason == "crashed"
    assert last.settled == ["ack"]


def test_only_what_ran_when_the_process_died_is_counted():
    class Killed(BaseException): ...

    def kill_on_two(event: Event[Happened]) -> None:
        if event.data.number == 2:
            raise Killed
        note(event)

    messages = [message(n) for n in range(4)]
    tested = worker(kill_on_two)
    left, lives = messages, 0
    while left and lives < 10:
        lives += 1
        held = [Delivery(one, redelivered=lives > 1) for one in left]
        with suppress(Killed):
            tested.handle(held)
        left = [one.message for one in held if not one.settled]
    assert notes() == ["0", "1", "3"]
    assert DeadLetter.objects.get().subject == "2"


def test_a_suspect_that_fails_is_charged_by_the_ladder_alone():
    suspect = delivery(redelivered=True)
    worker(fail).handle([suspect])
    assert suspect.settled == [5]
    assert not InboxEntry.objects.exists()


def test_a_suspect_that_an_earlier_ladder_brought_far_is_tried_before_it_is_given_up():
    """Its retries were cut since then, or somebody forged the header: no process has died of it."""
    far = Delivery(message(), 7, redelivered=True)
    worker(note).handle([far])
    assert (notes(), far.settled) == (["1"], ["ack"])


def test_a_suspect_that_was_stopped_again_keeps_the_deaths_it_was_charged_before():
    suspect = delivery(redelivered=True)
    tested = worker(fail, ordered=True, retries=(50, 50, 50))
    source = decode(suspect.message).source
    InboxEntry.objects.mark("worker.test", (source, suspect.message.id), 2)
    threading.Timer(0.2, tested.stopping.set).start()
    tested.handle([suspect])
    assert suspect.settled == ["release"]
    assert InboxEntry.objects.get().attempts == 2


def at_once(*calls: Callable[[], Any]) -> None:
    """Run each in a thread of its own, until all are done."""

    def run(call: Callable[[], Any]) -> None:
        call()
        connections.close_all()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


def test_what_comes_again_while_it_is_still_handled_here_waits_and_is_not_handled_twice():
    """Its link was lost, not its holder; without a transaction nothing else would keep the two apart."""
    begun, goes_on, ran = threading.Event(), threading.Event(), []

    def slow(event: Event[Happened]) -> None:
        ran.append(event.data.number)
        begun.set()
        goes_on.wait(10)

    tested, one = worker(slow, atomic=False, retries=()), message()
    first, again = Delivery(one), [Delivery(one, redelivered=True) for _ in range(2)]

    def come_again() -> None:
        begun.wait(10)
        threading.Timer(0.3, goes_on.set).start()
        for delivery in again:
            tested.handle([delivery])

    at_once(lambda: tested.handle([first]), come_again)
    assert ran == [1]
    assert [first.settled, *(delivery.settled for delivery in again)] == [["ack"]] * 3
    assert not DeadLetter.objects.exists()


class Company:
    """A handler that notes, for each event, how many others ran at the same time at the most."""

    def __init__(self) -> None:
        self.running: set[int] = set()
        self.others: dict[int, int] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event[Happened]) -> None:
        number = event.data.number
        with self._lock:
            self.running.add(number)
            for one in self.running:
                self.others[one] = max(self.others.get(one, 0), len(self.running) - 1)
        threading.Event().wait(0.05)
        with self._lock:
            self.running.remove(number)


def neighbours(company: Company, count: int, **policy: Any) -> list[Worker]:
    """Workers of several consumers, as in one process."""
    stopping = threading.Event()
    quarantine = Quarantine(stopping)
    made = []
    for number in range(count):
        consumer = Consumer(f"worker.test.{number}", atomic=False, **policy)
        consumer.handles(Happened)(company)
        made.append(Worker(consumer, stopping, quarantine))
    return made


def test_suspects_run_one_at_a_time_in_a_process_whatever_consumer_they_are_for():
    company = Company()
    workers = neighbours(company, 4, retries=(5, 30))
    at_once(*[lambda n=n: workers[n].handle([delivery(n, redelivered=True)]) for n in range(4)])
    assert company.others == dict.fromkeys(range(4), 0)


def test_a_first_delivery_waits_for_no_suspect_but_one_that_has_its_last_chance():
    company = Company()
    one, other = neighbours(company, 2, retries=(5,))
    together = threading.Barrier(2)

    def handle(worker: Worker, held: Delivery) -> None:
        together.wait()
        worker.handle([held])

    at_once(lambda: handle(one, delivery(1, redelivered=True)), lambda: handle(other, delivery(2)))
    assert company.others == {1: 1, 2: 1}
    company.others.clear()
    at_once(lambda: handle(one, delivery(3, 2, redelivered=True)), lambda: handle(other, delivery(4)))
    assert company.others == {3: 0, 4: 0}


def test_a_last_chance_that_waits_for_its_neighbours_is_handed_back_when_the_process_stops():
    begun, goes_on = threading.Event(), threading.Event()

    class Slow(Company):
        def __call__(self, event: Event[Happened]) -> None:
            begun.set()
            goes_on.wait(10)

    one, other = neighbours(Slow(), 2, retries=())
    suspect = delivery(2, redelivered=True)

    def stop() -> None:
        begun.wait(10)
        threading.Timer(0.3, one.stopping.set).start()
        other.handle([suspect])
        goes_on.set()

    at_once(lambda: one.handle([delivery(1)]), stop)
    assert suspect.settled == ["release"]
    assert not InboxEntry.objects.filter(handled_at=None).exists()


# --- order ---


def test_an_ordered_consumer_waits_in_place_and_retries_before_the_next():
    seen = []

    def fail_first(event: Event[Happened]) -> None:
        seen.append(event.data.number)
        if seen == [1]:
            raise ValueError

    one, other = delivery(1), delivery(2)
    tested = worker(fail_first, ordered=True, retries=(0.01, 0.01))
    tested.handle([one])
    tested.handle([other])
    assert seen == [1, 1, 2]
    assert one.settled == other.settled == ["ack"]


def test_an_ordered_consumer_gives_up_after_its_rungs():
    failing = delivery()
    worker(fail, ordered=True, retries=(0.01, 0.01)).handle([failing])
    assert DeadLetter.objects.get().attempts == 3
    assert failing.settled == ["ack"]


def test_an_ordered_consumer_that_is_stopped_while_it_waits_hands_back():
    failing = delivery()
    tested = worker(fail, ordered=True, retries=(50,))
    tested.stopping.set()
    tested.handle([failing])
    assert failing.settled == ["release"]
    assert not DeadLetter.objects.exists()


# --- outages ---


@pytest.mark.postgresql
def test_a_connection_that_the_server_closed_costs_no_attempt():
    closed = []

    def handler(event: Event[Happened]) -> None:
        if not closed:
            closed.append(1)
            _close_from_the_server_side()
        note(event)

    one = delivery(attempt=3)
    worker(handler).handle([one])
    assert (notes(), one.settled) == (["1"], ["ack"])


@pytest.mark.postgresql
def test_an_event_that_breaks_the_connection_every_time_is_its_own_failure():
    def handler(event: Event[Happened]) -> None:
        _close_from_the_server_side()
        note(event)

    one = delivery(attempt=3)
    worker(handler).handle([one])
    assert DeadLetter.objects.get().reason == "failed"


def _close_from_the_server_side() -> None:
    other = connections["default"].copy()
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    other.close()


@pytest.mark.sqlite
def test_a_database_that_another_writer_keeps_locked_costs_no_attempt(settings: Any):
    """SQLite waits for its timeout, then fails: that says nothing of the event."""
    other = connections["default"].copy()
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 100")
    with other.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.5, other.close)
    other.inc_thread_sharing()
    one = delivery(attempt=3)
    release.start()
    worker(note).handle([one])
    release.join()
    assert (notes(), one.settled) == (["1"], ["ack"])


def test_three_copies_at_once_take_effect_once():
    copies, first = [], message()
    tested = worker(note)
    barrier = threading.Barrier(3)

    def handle() -> None:
        copy = Delivery(first)
        copies.append(copy)
        barrier.wait(10)
        tested.handle([copy])
        connections.close_all()

    threads = [threading.Thread(target=handle) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert notes() == ["1"]
    assert [copy.settled for copy in copies] == [["ack"]] * 3


def test_the_inbox_is_pruned_of_what_is_old_and_of_nothing_else():
    from datetime import timedelta

    inbox = InboxEntry.objects.using("default")
    with transaction.atomic():
        inbox.claim("c", [("/s", uuid7()) for _ in range(3)])
        inbox.claim("c", [("/s", "young")])
    InboxEntry.objects.exclude(event_id="young").update(handled_at="2020-01-01T00:00:00Z")
    assert inbox.prune(timedelta(days=30), chunk=2) == 2
    assert inbox.prune(timedelta(days=30), chunk=2) == 1
    assert inbox.prune(timedelta(days=30), chunk=2) == 0
    assert InboxEntry.objects.get().event_id == "young"
