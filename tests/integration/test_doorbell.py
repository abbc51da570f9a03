"""What is committed wakes a relay that sleeps; no event is missed, and nobody rings at a relay that is awake."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from eventbridge import emit, emit_many, event_type
from eventbridge.models import OutboxEntry, doorbell, sql
from eventbridge.models.doorbell import FileDoorbell, NotifyDoorbell
from tests.services.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@event_type("doorbell.rung.v1")
class Rung:
    number: int = 0


class Sleeper:
    """Sleeps by the doorbell in a thread of its own, as a relay does, once for each ``nap``."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.naps = self.wakes = 0
        self.found: bool | None = None
        self.bell: FileDoorbell | NotifyDoorbell
        self._begun = False
        self._go = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def nap(self) -> None:
        """Fall asleep; returns when nothing that is written from now on can be missed."""
        self.found, self._begun = None, False
        self.naps += 1
        self._go.release()
        sqlite = connection.vendor == "sqlite"  # where it compares with what it saw last
        wait_for(lambda: not self.asleep or self.found is not None or (sqlite and self._begun), what="it to be asleep")

    @property
    def asleep(self) -> bool:
        return self.wakes < self.naps

    def end(self) -> None:
        self.stopping.set()
        self._go.release()
        self._thread.join(10)

    def _run(self) -> None:
        self.bell = doorbell.doorbell("default")
        while self._go.acquire() and not self.stopping.is_set():
            self._begun = True
            with suppress(OperationalError):  # which ends its sleep, too
                self.bell.sleep(0.01, self.stopping, self._look)
                self.bell.awake()
            self.wakes += 1
        with suppress(OperationalError):
            self.bell.leave()
        connections.close_all()

    def _look(self) -> bool:
        self.found = OutboxEntry.objects.exists()
        return self.found


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sleeper]:
    monkeypatch.setattr(doorbell, "LONGEST_SLEEP", 30.0)
    sleeper = Sleeper()
    sleeper.nap()
    wait_for(lambda: sleeper.found is False, what="its first look")
    yield sleeper
    sleeper.end()


def wakes(sleeper: Sleeper) -> None:
    wait_for(lambda: not sleeper.asleep, 5, what="it to wake up")


def stays_asleep(sleeper: Sleeper) -> None:
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        assert sleeper.asleep
        time.sleep(0.01)


@pytest.mark.parametrize("write", [lambda: emit(Rung()), lambda: emit_many([Rung(), Rung()])], ids=["one", "several"])
def test_what_is_recorded_without_a_transaction_wakes_it(sleeper: Sleeper, write: Callable[[], Any]):
    assert sleeper.asleep
    write()
    wakes(sleeper)


@pytest.mark.parametrize("write", [lambda: emit(Rung()), lambda: emit_many([Rung(), Rung()])], ids=["one", "several"])
def test_a_commit_wakes_it_and_not_before(sleeper: Sleeper, write: Callable[[], Any]):
    with transaction.atomic():
        write()
        stays_asleep(sleeper)
    wakes(sleeper)


def test_an_event_after_a_savepoint_that_rolled_back_wakes_it(sleeper: Sleeper):
    """A notification is discarded with its savepoint: the next event has to ring again."""
    with transaction.atomic():
        with transaction.atomic():
            emit(Rung())
            transaction.set_rollback(True)
        emit(Rung())
    wakes(sleeper)


def test_what_was_committed_before_it_fell_asleep_is_found(sleeper: Sleeper):
    emit(Rung())
    wakes(sleeper)
    emit(Rung())
    sleeper.nap()
    wakes(sleeper)
    assert sleeper.found


def test_it_wakes_when_its_process_stops(sleeper: Sleeper):
    sleeper.stopping.set()
    wakes(sleeper)


@pytest.mark.postgresql
def test_it_does_not_sleep_while_somebody_may_commit_without_ringing(sleeper: Sleeper):
    emit(Rung())
    wakes(sleeper)
    with transaction.atomic():
        emit(Rung())  # nobody sleeps, so this does not ring
        sleeper.nap()
        assert (sleeper.asleep, sleeper.found) == (False, None)
    OutboxEntry.objects.all().delete()
    sleeper.nap()
    assert (sleeper.asleep, sleeper.found) == (True, False)


@pytest.mark.postgresql
def test_nobody_rings_at_a_relay_that_is_awake(sleeper: Sleeper):
    emit(Rung())
    wakes(sleeper)
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("LISTEN eventbridge_outbox")
    emit(Rung())
    emit_many([Rung(), Rung()])
    assert list(connection.connection.notifies(timeout=0)) == []
    OutboxEntry.objects.all().delete()
    sleeper.nap()
    with transaction.atomic():
        emit(Rung())
        emit(Rung())
        emit_many([Rung(), Rung()])
    assert len(list(connection.connection.notifies(timeout=1, stop_after=1))) == 1  # one, and no more, a transaction
    assert list(connection.connection.notifies(timeout=0)) == []
    connection.close()


@pytest.mark.postgresql
def test_who_rang_before_it_looked_does_not_wake_it_again():
    bell, looks = NotifyDoorbell("default"), []
    bell.sleep(0, threading.Event(), lambda: True)
    with closing(connection.copy()) as other, other.cursor() as cursor:
        for _ in range(3):
            cursor.execute("NOTIFY eventbridge_outbox")
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doorbell, "LONGEST_SLEEP", 0.3)
        bell.sleep(0, threading.Event(), lambda: looks.append(1))
    assert looks == [1]
    assert time.monotonic() - began > 0.25
    bell.leave()


@pytest.fixture
def asks() -> Iterator[Callable[[], list[bool]]]:
    """Which of the INSERTs since then asked whether to ring."""
    with CaptureQueriesContext(connection) as captured:
        yield lambda: [
            "pg_try_advisory_xact_lock_shared" in query["sql"] for query in captured if "INSERT" in query["sql"]
        ]


@pytest.mark.postgresql
def test_a_transaction_asks_once_whether_it_is_to_ring(asks: Callable[[], list[bool]]):
    emit(Rung())
    with transaction.atomic():
        emit(Rung())
        emit(Rung())
        with suppress(ZeroDivisionError), transaction.atomic():
            emit(Rung())
            1 / 0  # noqa: B018
        emit(Rung())
    emit(Rung())
    emit(Rung())
    assert asks() == [True, True, False, False, True, True, True]


@pytest.mark.postgresql
def test_who_commits_by_hand_asks_each_time(asks: Callable[[], list[bool]]):
    """Django does not say when such a transaction has ended."""
    transaction.set_autocommit(False)
    try:
        for _ in range(2):
            emit(Rung())
            with transaction.atomic():
                emit(Rung())
            transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert asks() == [True] * 4


@pytest.mark.postgresql
def test_its_sleep_ends_with_its_connection(sleeper: Sleeper):
    """A session that is gone holds no lock: nobody rings for it, and the next relay may sleep."""
    backends = sql.rows(
        "default", "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    )
    assert len(backends) == 1
    wait_for(lambda: not sql.rows("default", "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"), what="no lock")


@pytest.mark.postgresql
def test_it_leaves_its_connection_as_it_was():
    bell = NotifyDoorbell("default")
    stopped = threading.Event()
    stopped.set()
    bell.sleep(0, stopped, lambda: True)
    assert sql.rows("default", "SELECT pg_listening_channels()")
    bell.leave()
    assert not sql.rows("default", "SELECT pg_listening_channels()")
    assert not sql.rows("default", "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")


@pytest.mark.postgresql
def test_a_sleep_that_fails_leaves_no_lock():
    bell = NotifyDoorbell("default")

    def fail() -> bool:
        raise OperationalError("canceling statement due to statement timeout")

    with pytest.raises(OperationalError):
        bell.sleep(0, threading.Event(), fail)
    bell.awake()
    assert not sql.rows("default", "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")


@pytest.mark.postgresql
def test_through_a_pooler_it_looks_instead(monkeypatch: pytest.MonkeyPatch):
    """PgBouncer tells a client a process id of its own, and LISTEN would be some other client's."""
    bell = NotifyDoorbell("default")
    monkeypatch.setattr(sql, "rows", lambda *_: [(1,)])
    bell.sleep(0.01, threading.Event(), lambda: pytest.fail("it must not fall asleep"))
    assert not bell._hears
