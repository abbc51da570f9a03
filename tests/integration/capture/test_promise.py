"""A change commits with its event, or neither does: whoever fails, whoever catches it, whoever dies."""

from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, close_old_connections, connection, transaction
from django.db.models import signals
from django.db.transaction import TransactionManagementError

from eventbridge import bridge, emit, event_type
from eventbridge.errors import InvalidEvent, RolledBack
from tests.shop.models import Note, Order, Product, Tag, User

pytestmark = pytest.mark.django_db(transaction=True)


@event_type("capture.promised.v1")
class Promised:
    what: str


@pytest.fixture
def bridged() -> None:
    """Notes: saved, and deleted."""

    @bridge([signals.post_save, signals.post_delete], sender=Note)
    def promised(instance: Note, **kwargs: Any) -> Promised:
        return Promised(what=instance.text)


@pytest.fixture
def failing() -> None:
    """Notes whose bridge fails."""

    @bridge([signals.post_save, signals.pre_delete], sender=Note)
    def promised(instance: Note, **kwargs: Any) -> Promised | None:
        if instance.text == "bad":
            raise RuntimeError("the receiver failed")
        return None


def texts() -> list[str]:
    return list(Note.objects.order_by("id").values_list("text", flat=True))


def told(recorded: Any) -> list[str]:
    return [data["what"] for data in recorded()]


# --- rollbacks ---


@pytest.mark.usefixtures("bridged")
def test_a_transaction_that_rolls_back_emits_nothing(recorded):
    def change() -> None:
        Note.objects.create(text="a")
        emit(Promised(what="b"))
        assert told(recorded) == ["a", "b"]
        raise KeyError

    with pytest.raises(KeyError), transaction.atomic():
        change()
    assert (texts(), told(recorded)) == ([], [])


@pytest.mark.usefixtures("bridged")
def test_a_savepoint_that_rolls_back_takes_its_own_events_alone(recorded):
    def change() -> None:
        Note.objects.create(text="within")
        emit(Promised(what="within"))
        raise KeyError

    with transaction.atomic():
        Note.objects.create(text="before")
        with pytest.raises(KeyError), transaction.atomic():
            change()
        Note.objects.create(text="after")
    assert (texts(), told(recorded)) == (["before", "after"], ["before", "after"])


@pytest.mark.usefixtures("bridged")
def test_a_savepoint_rolled_back_by_hand_takes_its_own_events_alone(recorded):
    with transaction.atomic():
        savepoint = connection.savepoint()
        Note.objects.create(text="within")
        connection.savepoint_rollback(savepoint)
        Note.objects.create(text="after")
    assert told(recorded) == ["after"]


@pytest.mark.usefixtures("bridged")
def test_a_rollback_that_was_asked_for_emits_nothing(recorded):
    with transaction.atomic():
        Note.objects.create(text="a")
        transaction.set_rollback(True)
    assert (texts(), told(recorded)) == ([], [])


@pytest.mark.usefixtures("bridged")
def test_a_constraint_that_fails_later_in_the_transaction_takes_the_event_along(recorded):
    Tag.objects.create(name="green")
    with pytest.raises(DatabaseError), transaction.atomic():  # noqa: PT012 - what fails is the transaction
        Note.objects.create(text="a")
        Tag.objects.create(name="green")
    assert (texts(), told(recorded)) == ([], [])


# --- in autocommit ---


@pytest.mark.usefixtures("bridged")
def test_a_save_in_autocommit_commits_with_its_event(recorded):
    Note.objects.create(text="a")
    Note(text="b").save()
    assert (texts(), told(recorded)) == (["a", "b"], ["a", "b"])


@pytest.mark.parametrize("kind", [signals.pre_save, signals.post_save])
def test_a_receiver_that_raises_stops_a_save_in_autocommit(kind):
    @bridge(kind, sender=Note)
    def promised(**kwargs: Any) -> Promised:
        raise RuntimeError("the receiver failed")

    with pytest.raises(RuntimeError, match="the receiver failed"):
        Note.objects.create(text="a")
    assert texts() == []
    assert not connection.in_atomic_block


@pytest.mark.usefixtures("bridged")
def test_another_receiver_that_raises_takes_row_and_event_along(recorded):
    def fails(**kwargs: Any) -> None:
        raise RuntimeError("the other receiver failed")

    signals.post_save.connect(fails, sender=Note)
    with pytest.raises(RuntimeError):
        Note.objects.create(text="a")
    assert (texts(), told(recorded)) == ([], [])


def _catches() -> None:
    with suppress(IntegrityError):
        Tag.objects.create(name="taken")


@pytest.mark.parametrize("breaks", [_catches, close_old_connections, lambda: transaction.set_rollback(True)])
def test_a_save_that_another_receiver_rolls_back_in_silence_says_so(bridged, recorded, breaks):
    """What that receiver does was harmless in autocommit; now it would lose the row, without a word."""
    Tag.objects.create(name="taken")

    def other(**kwargs: Any) -> None:
        breaks()

    signals.post_save.connect(other, sender=Note, weak=False)
    try:
        with pytest.raises(RolledBack, match="a receiver of Note's signals"):
            Note.objects.create(text="x")
    finally:
        signals.post_save.disconnect(other, sender=Note)
    assert (texts(), recorded()) == ([], [])


@pytest.mark.usefixtures("bridged")
def test_a_receiver_that_insists_on_the_outermost_transaction_fails_once_its_model_is_bridged():
    """The price that docs/explanation/decisions/atomic-saves.md names, and the way out that it gives."""

    def insists(**kwargs: Any) -> None:
        with transaction.atomic(durable=True):
            Tag.objects.create(name="apart")

    def puts_off(**kwargs: Any) -> None:
        transaction.on_commit(insists)

    signals.post_save.connect(insists, sender=Note)
    with pytest.raises(RuntimeError, match="durable"):
        Note.objects.create(text="a")
    signals.post_save.disconnect(insists, sender=Note)
    signals.post_save.connect(puts_off, sender=Note)
    Note.objects.create(text="b")
    assert texts() == ["b"]
    assert Tag.objects.filter(name="apart").exists()


@pytest.mark.usefixtures("failing")
def test_a_receiver_that_raises_stops_a_deletion():
    Note.objects.bulk_create([Note(text="bad"), Note(text="good")])
    with pytest.raises(RuntimeError):
        Note.objects.all().delete()
    with pytest.raises(RuntimeError):
        Note.objects.get(text="bad").delete()
    assert texts() == ["bad", "good"]


def test_a_receiver_that_raises_stops_a_change_of_many_to_many():
    @bridge(signals.m2m_changed, sender=Product.tags.through)
    def promised(action: str, **kwargs: Any) -> Promised | None:
        if action.startswith("post_"):
            raise RuntimeError("the receiver failed")
        return None

    product, tag = Product.objects.create(name="tea"), Tag.objects.create(name="green")
    with pytest.raises(RuntimeError):
        product.tags.add(tag)
    assert not product.tags.exists()


@pytest.mark.usefixtures("bridged")
def test_what_runs_on_commit_runs_after_row_and_event_are_there(recorded):
    seen = []

    def later(instance: Note, **kwargs: Any) -> None:
        transaction.on_commit(lambda: seen.append((texts(), told(recorded), connection.in_atomic_block)))

    signals.post_save.connect(later, sender=Note)
    Note.objects.create(text="a")
    assert seen == [(["a"], ["a"], False)]


@pytest.mark.usefixtures("bridged")
def test_what_fails_on_commit_takes_back_neither(recorded):
    def later(**kwargs: Any) -> None:
        transaction.on_commit(lambda: 1 / 0)

    signals.post_save.connect(later, sender=Note)
    with pytest.raises(ZeroDivisionError):
        Note.objects.create(text="a")
    assert (texts(), told(recorded)) == (["a"], ["a"])


@pytest.mark.usefixtures("bridged")
def test_without_autocommit_the_one_who_commits_decides(recorded):
    transaction.set_autocommit(False)
    try:
        Note.objects.create(text="a")
        transaction.rollback()
        Note.objects.create(text="b")
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert (texts(), told(recorded)) == (["b"], ["b"])


# --- failures that somebody catches ---


def save(text: str) -> None:
    Note(text=text).save()


@pytest.fixture
def committed_by_hand() -> Iterator[None]:
    """Autocommit is off."""
    transaction.set_autocommit(False)
    yield
    transaction.rollback()
    transaction.set_autocommit(True)


def commit_and_look() -> list[str]:
    """What is there after commit(), although Django refuses statements until rollback()."""
    transaction.commit()
    with pytest.raises(TransactionManagementError):
        Note.objects.count()
    transaction.rollback()
    return texts()


@pytest.mark.usefixtures("failing", "committed_by_hand")
def test_without_autocommit_a_failed_bridge_that_is_caught_cannot_commit_its_change():
    save("good")
    with pytest.raises(RuntimeError):
        save("bad")
    with pytest.raises(TransactionManagementError):
        save("after")
    assert commit_and_look() == []
    save("again")
    transaction.commit()
    assert texts() == ["again"]


@pytest.mark.usefixtures("failing", "committed_by_hand")
def test_without_autocommit_a_failed_bridge_that_is_caught_cannot_commit_its_deletion():
    Note.objects.bulk_create([Note(text="bad"), Note(text="kept")])
    transaction.commit()
    Note.objects.filter(text="kept").update(text="changed")
    with pytest.raises(RuntimeError):
        Note.objects.get(text="bad").delete()
    assert commit_and_look() == ["bad", "kept"]


@pytest.mark.usefixtures("failing", "committed_by_hand")
def test_without_autocommit_a_savepoint_is_what_a_failed_bridge_loses():
    save("before")
    with pytest.raises(RuntimeError), transaction.atomic():
        save("bad")
    with transaction.atomic():
        save("within")
        with pytest.raises(RuntimeError):
            save("bad")
    save("after")
    transaction.commit()
    assert texts() == ["before", "after"]


@pytest.mark.usefixtures("committed_by_hand")
def test_without_autocommit_an_event_that_does_not_fit_cannot_be_caught_away():
    Note.objects.bulk_create([Note(text="a")])
    with pytest.raises(InvalidEvent, match="what"):
        emit(Promised(what=5))  # type: ignore[arg-type]
    assert commit_and_look() == []


@pytest.mark.usefixtures("committed_by_hand")
def test_without_autocommit_what_was_to_run_on_commit_is_forgotten_with_the_change(signal):
    seen = []

    @bridge(signal)
    def promised(**kwargs: Any) -> Promised:
        raise RuntimeError("the receiver failed")

    with transaction.atomic(savepoint=False):
        Note.objects.create(text="a")
        transaction.on_commit(lambda: seen.append("a"))
        signal.send_robust(sender=None)
    transaction.commit()
    transaction.set_autocommit(True)
    assert seen == []
    transaction.rollback()
    assert texts() == []


@pytest.mark.usefixtures("bridged", "without_outbox")
def test_without_autocommit_and_outbox_a_save_cannot_commit_although_the_error_is_caught(committed_by_hand):
    Note.objects.bulk_create([Note(text="unbridged")])
    with pytest.raises(DatabaseError):
        save("a")
    assert commit_and_look() == []


@pytest.mark.usefixtures("failing")
def test_a_failed_bridge_that_is_caught_cannot_commit_its_change():
    with transaction.atomic():
        Note.objects.create(text="good")
        with pytest.raises(RuntimeError):
            save("bad")
        with pytest.raises(TransactionManagementError):
            Note.objects.count()
    assert texts() == []


@pytest.mark.usefixtures("failing")
def test_a_failed_bridge_that_is_caught_around_a_savepoint_loses_that_alone():
    with transaction.atomic():
        save("before")
        with pytest.raises(RuntimeError), transaction.atomic():
            save("bad")
        save("after")
    assert texts() == ["before", "after"]


@pytest.mark.usefixtures("failing")
def test_a_failed_bridge_that_is_caught_inside_a_savepoint_loses_the_savepoint():
    with transaction.atomic():
        save("before")
        with transaction.atomic():
            save("within")
            with pytest.raises(RuntimeError):
                save("bad")
        save("after")
    assert texts() == ["before", "after"]


@pytest.mark.usefixtures("failing")
def test_a_failed_bridge_that_is_caught_inside_a_block_without_savepoint_loses_everything():
    with transaction.atomic():
        save("before")
        with transaction.atomic(savepoint=False), pytest.raises(RuntimeError):
            save("bad")
    assert texts() == []


def refuse(instance: Note, **kwargs: Any) -> None:
    """Another receiver, which some notes do not suit."""
    if instance.text == "bad":
        raise ValueError("not this one")


@pytest.mark.parametrize("first", [True, False], ids=["before the bridge", "after the bridge"])
def test_another_receiver_that_fails_and_is_caught_cannot_commit_the_change_without_its_event(recorded, first: bool):
    if first:  # receivers are called in the order in which they were connected
        signals.post_save.connect(refuse, sender=Note)

    @bridge(signals.post_save, sender=Note)
    def promised(instance: Note, **kwargs: Any) -> Promised:
        return Promised(what=instance.text)

    signals.post_save.connect(refuse, sender=Note)
    with transaction.atomic():
        save("good")
        with pytest.raises(ValueError, match="not this one"), transaction.atomic():
            save("bad")
        save("after")
    assert texts() == told(recorded) == ["good", "after"]
    with transaction.atomic():
        save("lost")
        with pytest.raises(ValueError, match="not this one"):
            save("bad")
        with pytest.raises(TransactionManagementError):
            Note.objects.count()
    assert texts() == told(recorded) == ["good", "after"]


@pytest.mark.parametrize("early", [signals.pre_save, signals.post_save])
def test_a_receiver_that_fails_before_anything_is_written_can_be_caught(recorded, early: Any):
    """As without eventbridge: a check in pre_save is no reason to lose the transaction."""
    signals.pre_save.connect(refuse, sender=Note)

    @bridge(early, sender=Note)
    def promised(instance: Note, **kwargs: Any) -> Promised:
        return Promised(what=instance.text)

    with transaction.atomic():
        with pytest.raises(ValueError, match="not this one"):
            save("bad")
        save("good")
    assert texts() == told(recorded) == ["good"]


def test_an_event_of_pre_save_cannot_commit_without_its_change(recorded):
    @bridge(signals.pre_save, sender=Note)
    def promised(instance: Note, **kwargs: Any) -> list[Promised]:
        return [Promised(what=instance.text), Promised(what="again")]

    signals.pre_save.connect(refuse, sender=Note)
    with transaction.atomic(), pytest.raises(ValueError, match="not this one"):
        save("bad")
    assert texts() == told(recorded) == []


@pytest.mark.parametrize("count", [2, 12])
def test_however_many_events_of_pre_save_cannot_commit_without_their_change(recorded, count: int):
    """On PostgreSQL many go by COPY, which is no execute()."""

    @bridge(signals.pre_save, sender=Note)
    def promised(instance: Note, **kwargs: Any) -> list[Promised]:
        return [Promised(what=str(number)) for number in range(count)]

    signals.pre_save.connect(refuse, sender=Note)
    with transaction.atomic(), pytest.raises(ValueError, match="not this one"):
        save("bad")
    assert texts() == told(recorded) == []


def test_a_statement_behind_a_comment_has_written_too(recorded):
    """As tools that tag each statement with where it comes from make them."""
    signals.post_save.connect(refuse, sender=Note)

    @bridge(signals.post_save, sender=Note)
    def promised(instance: Note, **kwargs: Any) -> Promised:
        return Promised(what=instance.text)

    def tag(execute: Any, statement: str, *rest: Any) -> Any:
        return execute(f"/* view */ -- tagged\n {statement}", *rest)

    with connection.execute_wrapper(tag), transaction.atomic(), pytest.raises(ValueError, match="not this one"):
        save("bad")
    assert texts() == told(recorded) == []


@pytest.mark.parametrize("kind", [CancelledError, SystemExit])
def test_a_bridge_that_is_cancelled_and_caught_cannot_commit_its_change(recorded, kind: type[BaseException]):
    @bridge(signals.post_save, sender=Note)
    def promised(instance: Note, **kwargs: Any) -> Promised:
        raise kind

    with transaction.atomic(), suppress(kind):
        save("bad")
    assert texts() == told(recorded) == []


def test_an_event_that_does_not_fit_cannot_be_caught_away(recorded):
    with transaction.atomic():
        Note.objects.create(text="a")
        with pytest.raises(InvalidEvent, match="what"):
            emit(Promised(what=5))  # type: ignore[arg-type]
    assert (texts(), recorded()) == ([], [])


def test_an_event_of_no_type_cannot_be_caught_away():
    with transaction.atomic():
        Note.objects.create(text="a")
        with pytest.raises(TypeError):
            emit("no event")
    assert texts() == []


def test_a_custom_signal_in_autocommit_tells_its_robust_sender_what_failed(signal):
    @bridge(signal)
    def promised(**kwargs: Any) -> Promised:
        raise RuntimeError("the receiver failed")

    [(receiver, error)] = signal.send_robust(sender=None)
    assert isinstance(error, RuntimeError)
    assert receiver.__qualname__.endswith("promised")


def test_a_custom_signal_sent_robustly_cannot_lose_its_event(signal):
    @bridge(signal)
    def promised(**kwargs: Any) -> Promised:
        raise RuntimeError("the receiver failed")

    with transaction.atomic():
        Note.objects.create(text="a")
        [(_, error)] = signal.send_robust(sender=None)
        assert isinstance(error, RuntimeError)
    assert texts() == []


# --- an outbox that cannot be written ---


@pytest.mark.usefixtures("bridged", "without_outbox")
def test_without_an_outbox_a_save_in_autocommit_fails():
    with pytest.raises(DatabaseError):
        save("a")
    assert texts() == []


@pytest.mark.usefixtures("bridged", "without_outbox")
def test_without_an_outbox_a_deletion_fails():
    Note.objects.bulk_create([Note(text="a")])
    with pytest.raises(DatabaseError):
        Note.objects.all().delete()
    assert texts() == ["a"]


@pytest.mark.usefixtures("bridged", "without_outbox")
def test_without_an_outbox_a_change_fails_although_the_error_is_caught():
    with transaction.atomic():
        Note.objects.bulk_create([Note(text="unbridged")])
        with pytest.raises(DatabaseError):
            save("a")
    assert texts() == []


@pytest.mark.usefixtures("bridged", "without_outbox")
def test_without_an_outbox_a_savepoint_is_lost_although_the_error_is_caught():
    with transaction.atomic():
        Note.objects.bulk_create([Note(text="before")])
        with transaction.atomic(), pytest.raises(DatabaseError):
            save("a")
        Note.objects.bulk_create([Note(text="after")])
    assert texts() == ["before", "after"]


@pytest.mark.usefixtures("without_outbox")
def test_without_an_outbox_a_signal_sent_robustly_fails_its_transaction(signal):
    @bridge(signal)
    def promised(**kwargs: Any) -> Promised:
        return Promised(what="a")

    with transaction.atomic():
        Note.objects.create(text="a")
        [(_, error)] = signal.send_robust(sender=None)
        assert isinstance(error, DatabaseError)
    assert texts() == []


@pytest.mark.usefixtures("without_outbox")
def test_without_an_outbox_emit_fails_outside_a_transaction_too():
    with pytest.raises(DatabaseError):
        emit(Promised(what="a"))


# --- processes that die ---

CRASH = """
import os
from django.db import transaction
from django.db.models.signals import post_save
from tests.shop.models import Order, User
from eventbridge.models import OutboxEntry

def die(instance, **kwargs):
    assert OutboxEntry.objects.filter(type="shop.order.saved.v1").exists()
    os._exit(42)

post_save.connect(die, sender=Order)
customer = User.objects.get()
{act}
"""


@pytest.mark.parametrize(
    "act",
    [
        "Order.objects.create(customer=customer)",
        "Order(customer=customer).save()",
        "customer.orders.create()",
        "with transaction.atomic(): Order.objects.create(customer=customer)",
        "Order.objects.get_or_create(customer=customer)",
    ],
)
def test_a_process_that_dies_after_the_event_leaves_neither_row_nor_event(act, daemon, recorded):
    User.objects.create_user("ann@example.org")
    process = daemon("shell", "-c", CRASH.format(act=act))
    assert process.wait() == 42, process.output
    assert not Order.objects.exists()
    assert recorded() == []


def test_a_process_that_dies_after_its_save_leaves_both(daemon, recorded):
    User.objects.create_user("ann@example.org")
    code = CRASH.format(act="post_save.disconnect(die, sender=Order); customer.orders.create(); os._exit(42)")
    process = daemon("shell", "-c", code)
    assert process.wait() == 42, process.output
    [data] = recorded()
    assert data["order_id"] == str(Order.objects.get().pk)


def test_the_shops_own_events_were_found_by_their_modules_name(recorded):
    order = Order.objects.create(customer=User.objects.create_user("ann@example.org"))
    pk = order.pk
    order.delete()
    assert recorded() == [{"order_id": str(pk), "paid": False, "created": True}, {"order_id": str(pk)}]
