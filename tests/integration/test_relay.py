"""The relay, in this process, against the embedded broker: what it publishes, keeps, parks, and when it may."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connections, transaction

from eventbridge.errors import Unavailable
from eventbridge.models import Lease, OutboxEntry, sql
from eventbridge.models.doorbell import FileDoorbell, NotifyDoorbell
from eventbridge.models.outbox import NewEntry
from eventbridge.relay import Relay
from eventbridge.transports import CONFIRMED, NACKED, UNROUTABLE, Message, Outcome
from eventbridge.wire import decode
from tests.services.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "archive"])


class Broker:
    """A publisher whose answers a test decides: nobody can make a real broker nack on demand, in order."""

    def __init__(self) -> None:
        self.published: list[Message] = []
        self.answers: dict[str, Outcome] = {}
        self.away = False
        self.confirms = 10**9

    def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        if self.away:
            raise Unavailable("nobody listens")
        self.published += messages
        outcomes = [self.answers.get(message.type, CONFIRMED) for message in messages]
        if self.confirms < len(messages):
            raise Unavailable("cut", outcomes[: self.confirms])
        return outcomes

    def depth(self, queue: str) -> int | None:
        return None

    @property
    def certificate_ends(self) -> None: ...

    def close(self, deadline: float) -> None: ...

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.published]


def record(*ids: str, kind: str = "shop.thing.v1", mandatory: bool = True, using: str = "default") -> None:
    OutboxEntry.objects.using(using).record(
        [
            NewEntry(i, kind, mandatory, "", f'{{"specversion":"1.0","id":"{i}","source":"/s","type":"{kind}"}}')
            for i in ids
        ]
    )


def relay(broker: Broker, holder: str = "one", **options: object) -> Relay:
    return Relay(broker, holder=holder, **options)  # type: ignore[arg-type]


def pending() -> list[str]:
    return list(OutboxEntry.objects.filter(parked_at=None).values_list("event_id", flat=True))


def test_events_are_published_in_the_order_of_their_ids_and_then_deleted():
    broker = Broker()
    record("a", "b", "c")
    relay(broker).poll()
    assert broker.ids == ["a", "b", "c"]
    assert OutboxEntry.objects.count() == 0


def test_the_published_body_begins_with_the_sequence_and_is_a_cloudevent():
    broker = Broker()
    record("a")
    pk = OutboxEntry.objects.get().pk
    relay(broker).poll()
    event = decode(broker.published[0])
    assert event.sequence == f"{pk:020}"
    assert event.id == "a"


def test_a_batch_is_no_larger_than_asked_for():
    broker = Broker()
    record("a", "b", "c")
    one = relay(broker, batch=2)
    one.poll()
    assert (broker.ids, pending()) == (["a", "b"], ["c"])
    one.poll()
    assert pending() == []


def test_a_batch_of_large_events_is_a_short_one():
    """Or a thousand events of a megabyte each would be in the relay's memory at once, three times over."""
    record("a", "b", "c", "d")
    size = len(OutboxEntry.objects.first().body)  # type: ignore[union-attr]
    assert [entry.event_id for entry in OutboxEntry.objects.pending(10, size * 2)] == ["a", "b"]
    assert [entry.event_id for entry in OutboxEntry.objects.pending(10, 1)] == ["a"]


def test_a_gap_among_the_ids_hides_nothing():
    """Sequences skip what was rolled back, and parked events stay where they are."""
    broker = Broker()
    record("a", "b")
    OutboxEntry.objects.filter(event_id="b").update(id=OutboxEntry.objects.order_by("id").first().id + 10**9)  # type: ignore[union-attr]
    one = relay(broker, batch=2)
    one.poll()
    one.poll()
    assert broker.ids == ["a", "b"]


def test_an_outage_changes_nothing_in_the_outbox_and_is_over_when_it_is_over():
    broker = Broker()
    broker.away = True
    record("a")
    one = relay(broker)
    assert one.poll() > 0
    assert (one.state, pending()) == ("waiting", ["a"])
    broker.away = False
    one.poll()
    assert (one.state, pending()) == ("ready", [])


def test_what_was_confirmed_before_the_link_was_cut_is_not_published_again():
    broker = Broker()
    broker.confirms = 2
    record("a", "b", "c")
    one = relay(broker)
    one.poll()
    assert pending() == ["c"]
    broker.confirms = 10
    one.poll()
    assert broker.ids == ["a", "b", "c", "c"]


@pytest.mark.parametrize("outcome", [UNROUTABLE, Outcome("refused", "no permission")])
def test_what_the_broker_will_not_take_is_parked_with_the_reason_and_blocks_nobody(outcome: Outcome):
    broker = Broker()
    broker.answers["shop.bad.v1"] = outcome
    record("bad", kind="shop.bad.v1")
    record("good")
    relay(broker).poll()
    entry = OutboxEntry.objects.get()
    assert entry.event_id == "bad"
    assert entry.parked_at is not None
    assert entry.parked_reason == outcome.why


def test_a_parked_event_is_published_after_a_retry():
    broker = Broker()
    broker.answers["shop.bad.v1"] = UNROUTABLE
    record("bad", kind="shop.bad.v1")
    one = relay(broker)
    one.poll()
    assert one.poll() > 0
    broker.answers.clear()
    assert OutboxEntry.objects.using("default").retry() == 1
    one.poll()
    assert broker.ids == ["bad", "bad"]
    assert not OutboxEntry.objects.exists()


def test_an_event_that_nobody_need_want_is_done_when_nobody_wants_it():
    broker = Broker()
    broker.answers["shop.saved.v1"] = UNROUTABLE
    record("saved", kind="shop.saved.v1", mandatory=False)
    relay(broker).poll()
    assert not OutboxEntry.objects.exists()


def test_a_refused_event_is_parked_even_if_nobody_need_want_it():
    broker = Broker()
    broker.answers["shop.saved.v1"] = Outcome("refused", "too large")
    record("saved", kind="shop.saved.v1", mandatory=False)
    relay(broker).poll()
    assert OutboxEntry.objects.get().parked_reason == "too large"


def test_a_nack_leaves_the_event_to_be_tried_again_after_a_rest():
    broker = Broker()
    broker.answers["shop.thing.v1"] = NACKED
    record("a")
    one = relay(broker)
    assert one.poll() >= 1
    assert pending() == ["a"]
    broker.answers.clear()
    one.poll()
    assert pending() == []


def test_only_one_of_two_relays_publishes_and_the_other_takes_over_at_once_after_a_clean_stop():
    one, other = Broker(), Broker()
    active, standby = relay(one, "one"), relay(other, "other")
    record("a")
    active.poll()
    record("b")
    standby.poll()
    assert (standby.state, other.ids) == ("standby", [])
    active.close(1)
    standby.poll()
    assert other.ids == ["b"]


def test_of_eight_relays_at_once_one_publishes():
    record(*(f"{number}" for number in range(20)))
    brokers = [Broker() for _ in range(8)]
    start = threading.Barrier(8)

    def poll(broker: Broker) -> str:
        one = relay(broker, f"relay {id(broker)}")
        start.wait()
        try:
            one.poll()
            return one.state
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(poll, brokers))
    assert sorted(states) == ["ready"] + ["standby"] * 7
    assert sorted(len(broker.ids) for broker in brokers) == [0] * 7 + [20]


def test_a_relay_that_lost_its_lease_publishes_nothing_more():
    broker = Broker()
    former = relay(broker, "former", lease=0.2)
    former.poll()
    Lease.objects.update(expires_at="2020-01-01T00:00:00Z")
    successor = relay(Broker(), "successor")
    successor.poll()
    former._held_until = 0.0
    record("a")
    former.poll()
    assert (former.state, broker.ids) == ("standby", [])


def test_a_relay_that_lost_its_lease_while_it_published_parks_nothing():
    broker = Broker()
    broker.answers["shop.bad.v1"] = UNROUTABLE
    former = relay(broker)
    former.poll()
    Lease.objects.update(token=99)
    record("bad", kind="shop.bad.v1")
    former.poll()
    assert pending() == ["bad"]


def test_the_fencing_token_grows_with_each_change_of_hands_and_not_with_renewals():
    leases = Lease.objects.using("default")
    first = leases.take("x", "one", 30)
    assert first is not None
    assert leases.renew("x", first, 30)
    assert leases.take("x", "other", 30) is None
    leases.release("x", first)
    assert leases.take("x", "other", 30) == first + 1
    assert not leases.renew("x", first, 30)


def test_each_database_has_a_relay_and_a_lease_of_its_own():
    one, other = Broker(), Broker()
    record("here")
    record("there", using="archive")
    relay(one).poll()
    relay(other, database="archive").poll()
    assert (one.ids, other.ids) == (["here"], ["there"])
    assert other.published[0].source == "/shop/archive"


@pytest.mark.postgresql
def test_an_event_whose_transaction_commits_late_is_not_passed_over():
    """Ids are taken at INSERT, not at COMMIT: a cursor that moved past 2 would never see 1."""
    broker = Broker()
    one = relay(broker)
    late = connections["default"].copy()
    try:
        late.set_autocommit(False)
        with late.cursor() as cursor:
            cursor.execute(
                "INSERT INTO eventbridge_outbox (event_id, type, mandatory, headers, body) "
                "VALUES ('late', 't', true, '', '{}')"
            )
        record("early")
        one.poll()
        assert broker.ids == ["early"]
        late.commit()
        one.poll()
        assert broker.ids == ["early", "late"]
    finally:
        late.close()


def test_the_relay_outlives_a_database_that_went_away(monkeypatch: pytest.MonkeyPatch):
    broker = Broker()
    one = relay(broker)
    one.poll()
    record("a")
    with monkeypatch.context() as patch:
        patch.setattr("eventbridge.models.outbox.sql.rows", _gone)
        assert one.poll() > 0
        assert one.state == "waiting"
    one.poll()
    assert broker.ids == ["a"]


def test_a_relay_that_rests_is_woken_by_a_commit_whatever_its_pause(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("eventbridge.models.doorbell.LONGEST_SLEEP", 30.0)
    broker, stopping, polls = Broker(), threading.Event(), []
    one = relay(broker, longest_pause=30.0)

    def run() -> None:
        while not stopping.is_set():
            pause = one.poll()
            polls.append(pause)
            one.rest(pause, stopping)
        one.close(1.0)
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        # Until it has looked for the last time: it is about to sleep, or does.
        wait_for(lambda: polls and polls[-1] > 0, what="it to have nothing to do")
        record("a")
        wait_for(lambda: broker.ids == ["a"], 5, what="it to be woken")
        wait_for(lambda: not pending(), 5, what="the outbox to be empty")
    finally:
        stopping.set()
        thread.join(10)
    assert not thread.is_alive()


def test_a_relay_that_is_rung_at_all_the_time_looks_before_it_sleeps_again(monkeypatch: pytest.MonkeyPatch):
    """Whoever writes without a rest pays for few notifications: while there is something at each look, for none."""
    naps = []
    monkeypatch.setattr(NotifyDoorbell, "sleep", lambda *_: naps.append(1))
    monkeypatch.setattr(FileDoorbell, "sleep", lambda *_: naps.append(1))
    one, awake = relay(Broker()), threading.Event()
    turns = [(None, 1), ("a", 1), (None, 1), ("b", 1), (None, 1), (None, 2), ("c", 2), (None, 2), (None, 3)]
    for event, slept in turns:
        if event:
            record(event)
        one.rest(one.poll(), awake)
        assert len(naps) == slept, (event, slept)


def test_a_relay_that_looks_every_few_milliseconds_does_not_sleep(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(NotifyDoorbell, "sleep", lambda *_: pytest.fail("it sleeps"))
    monkeypatch.setattr(FileDoorbell, "sleep", lambda *_: pytest.fail("it sleeps"))
    one = relay(Broker(), longest_pause=0.009)
    for _ in range(5):
        one.rest(one.poll(), threading.Event())
    assert one.idle


@pytest.mark.postgresql
def test_nobody_rings_at_a_relay_that_works():
    """It is awake before it deletes; what comes in between is found by its next look."""
    one, stopped = relay(Broker()), threading.Event()
    stopped.set()
    one.rest(one.poll(), stopped)
    assert sql.rows("default", _ADVISORY)
    record("a")
    one.poll()
    assert not sql.rows("default", _ADVISORY)
    one.rest(one.poll(), stopped)
    one.rest(one.stand_still("paused"), stopped)
    assert not sql.rows("default", _ADVISORY)


_ADVISORY = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"


def test_a_relay_that_rests_outlives_a_database_that_went_away(monkeypatch: pytest.MonkeyPatch):
    one, stopping = relay(Broker()), threading.Event()
    one.poll()
    assert one.idle
    with monkeypatch.context() as patch:
        patch.setattr("eventbridge.models.doorbell.sql.rows", _gone)
        patch.setattr("eventbridge.models.doorbell.FileDoorbell.rang", _gone)
        one.rest(1.0, stopping)
    one.poll()
    assert one.state == "ready"


def _gone(*args: object) -> None:
    raise OperationalError("the connection is lost")


def test_nothing_is_locked_while_the_broker_is_awaited():
    seen = []

    class Slow(Broker):
        def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
            seen.append(connections["default"].in_atomic_block)
            return super().publish(messages)

    record("a")
    relay(Slow()).poll()
    assert seen == [False]


def test_what_was_rolled_back_is_never_seen():
    broker = Broker()

    with transaction.atomic():
        record("ghost")
        transaction.set_rollback(True)
    relay(broker).poll()
    assert broker.ids == []


def test_preparation_is_tried_until_it_succeeds_and_again_after_an_outage_only():
    calls = []

    def prepare() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise Unavailable("not yet")

    broker = Broker()
    record("a")
    one = relay(broker, prepare=prepare)
    one.poll()
    assert broker.ids == []
    one.poll()
    one.poll()
    assert (len(calls), broker.ids) == (2, ["a"])
    broker.away = True
    record("b")
    one.poll()
    broker.away = False
    one.poll()
    one.poll()
    assert (len(calls), broker.ids) == (3, ["a", "b"])
