"""Two databases, each with an outbox of its own: an event is where its change is."""

from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models import signals
from django.utils.connection import ConnectionDoesNotExist

from eventbridge import bridge, emit, emit_many, event_type
from eventbridge.models import OutboxEntry
from tests.shop.models import Note, Product, Tag

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "archive"])


@event_type("capture.placed.v1")
class Placed:
    what: str


class ToTheArchive:
    """A router that writes the outbox, and nothing else, to the archive."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "archive" if model is OutboxEntry else None


@pytest.fixture
def bridged() -> None:
    @bridge([signals.pre_save, signals.post_save, signals.pre_delete, signals.post_delete], sender=Note)
    def placed(instance: Note, **kwargs: Any) -> Placed:
        return Placed(what=instance.text)


def counts() -> dict[str, int]:
    return {alias: OutboxEntry.objects.using(alias).count() for alias in ("default", "archive")}


@pytest.mark.usefixtures("bridged")
def test_a_change_in_the_second_database_is_recorded_there():
    note = Note.objects.using("archive").create(text="a")
    assert counts() == {"default": 0, "archive": 2}
    note.save()
    assert counts() == {"default": 0, "archive": 4}
    note.delete()
    assert counts() == {"default": 0, "archive": 6}


@pytest.mark.usefixtures("bridged")
def test_a_save_that_names_the_database_is_recorded_there():
    Note(text="a").save(using="archive")
    Note.objects.db_manager("archive").create(text="b")
    Note.objects.using("archive").filter(text="b").delete()
    assert counts() == {"default": 0, "archive": 6}


@pytest.mark.usefixtures("bridged")
def test_its_source_appends_the_databases_alias(envelopes):
    Note.objects.using("archive").create(text="a")
    Note.objects.create(text="a")
    assert {envelope["source"] for envelope in envelopes("archive")} == {"/shop/archive"}
    assert {envelope["source"] for envelope in envelopes("default")} == {"/shop"}


def test_a_source_that_ends_in_a_slash_gets_no_second_one(settings, envelopes):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "SOURCE": "https://shop.example.org/"}
    emit(Placed(what="a"), using="archive")
    assert envelopes("archive")[0]["source"] == "https://shop.example.org/archive"


@pytest.mark.usefixtures("bridged")
def test_a_save_in_the_second_database_is_atomic_there(recorded):
    def fails(**kwargs: Any) -> None:
        assert connections["archive"].in_atomic_block
        assert not connections["default"].in_atomic_block
        raise RuntimeError("a later receiver failed")

    signals.post_save.connect(fails, sender=Note)
    with pytest.raises(RuntimeError):
        Note.objects.using("archive").create(text="a")
    assert not Note.objects.using("archive").exists()
    assert counts() == {"default": 0, "archive": 0}


@pytest.mark.usefixtures("bridged")
def test_a_transaction_of_the_other_database_does_not_hold_it(recorded):
    with transaction.atomic(using="default"):
        Note.objects.create(text="lost")
        Note.objects.using("archive").create(text="kept")
        transaction.set_rollback(True, using="default")
    assert counts() == {"default": 0, "archive": 2}


def test_a_failure_is_charged_to_the_database_of_the_change():
    @bridge(signals.post_save, sender=Note)
    def fails(**kwargs: Any) -> Placed:
        raise RuntimeError("the receiver failed")

    with transaction.atomic(using="default"), transaction.atomic(using="archive"):
        Tag.objects.using("default").create(name="kept")
        Tag.objects.using("archive").create(name="lost")
        with pytest.raises(RuntimeError):
            Note.objects.using("archive").create(text="a")
    assert Tag.objects.using("default").exists()
    assert not Tag.objects.using("archive").exists()


def test_a_change_of_many_to_many_is_recorded_where_it_is():
    @bridge(signals.m2m_changed, sender=Product.tags.through)
    def tagged(action: str, **kwargs: Any) -> Placed:
        return Placed(what=action)

    product = Product.objects.using("archive").create(name="tea")
    product.tags.add(Tag.objects.using("archive").create(name="green"))
    assert counts() == {"default": 0, "archive": 2}


def test_a_custom_signals_using_names_the_database(signal):
    @bridge(signal)
    def placed(**kwargs: Any) -> Placed:
        return Placed(what="a")

    signal.send(sender=None, using="archive")
    assert counts() == {"default": 0, "archive": 1}
    signal.send(sender=None)
    signal.send(sender=None, using=None)
    assert counts() == {"default": 2, "archive": 1}


def test_a_custom_signal_without_one_is_recorded_where_the_router_says(signal, settings):
    settings.DATABASE_ROUTERS = [ToTheArchive()]

    @bridge(signal)
    def placed(**kwargs: Any) -> Placed:
        return Placed(what="a")

    signal.send(sender=None)
    emit(Placed(what="b"))
    assert counts() == {"default": 0, "archive": 2}


@pytest.mark.usefixtures("bridged")
def test_a_models_signal_is_recorded_where_the_change_is_whatever_the_router_says(settings):
    settings.DATABASE_ROUTERS = [ToTheArchive()]
    Note.objects.using("default").create(text="a")
    assert counts() == {"default": 2, "archive": 0}


def test_emit_takes_the_database_by_name(envelopes):
    emit(Placed(what="a"), using="archive")
    emit_many([Placed(what="b")], using="archive")
    assert [envelope["data"]["what"] for envelope in envelopes("archive")] == ["a", "b"]
    assert counts()["default"] == 0


def test_emit_in_one_database_is_no_part_of_a_transaction_in_the_other():
    with transaction.atomic(using="default"):
        emit(Placed(what="a"), using="archive")
        transaction.set_rollback(True, using="default")
    assert counts() == {"default": 0, "archive": 1}


def test_a_database_that_does_not_exist_is_an_error():
    with pytest.raises(ConnectionDoesNotExist, match="nowhere"):
        emit(Placed(what="a"), using="nowhere")
