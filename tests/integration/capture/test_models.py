"""Bridged models of every kind: which saves emit, and that the saves are what they were."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, models, transaction
from django.db.models import signals
from django.test.utils import CaptureQueriesContext

from eventbridge import bridge, event_type
from eventbridge.capture import _save_atomically
from tests.shop.models import Bundle, Clearance, Note, Order, OrderLine, Product, Tag, User

pytestmark = pytest.mark.django_db(transaction=True)


@event_type("capture.saved.v1")
class Saved:
    sender: str
    created: bool
    name: str
    update_fields: list[str] | None = None


def saves_of(sender: Any) -> None:
    @bridge(signals.post_save, sender=sender)
    def saved(instance: models.Model, created: bool, update_fields: Any, **kwargs: Any) -> Saved:
        return Saved(
            sender=kwargs["sender"].__name__,
            created=created,
            name=str(instance),
            update_fields=sorted(update_fields) if update_fields is not None else None,
        )


def told(recorded: Any) -> list[tuple[str, bool, str]]:
    return [(data["sender"], data["created"], data["name"]) for data in recorded() if "sender" in data]


def test_a_save_that_creates_and_one_that_updates_are_told_apart(recorded):
    saves_of(Note)
    note = Note.objects.create(text="a")
    note.text = "b"
    note.save()
    assert told(recorded) == [("Note", True, "a"), ("Note", False, "b")]


def test_a_model_named_by_a_string_is_bridged(recorded):
    saves_of("shop.Note")
    Note.objects.create(text="a")
    assert told(recorded) == [("Note", True, "a")]


def test_the_user_model_may_be_a_custom_one(recorded):
    saves_of("shop.User")
    get_user_model().objects.create_user("ann@example.org")
    assert told(recorded) == [("User", True, "ann@example.org")]


def test_a_child_with_a_table_of_its_own_is_a_sender_of_its_own(recorded):
    saves_of(Bundle)
    Product.objects.create(name="tea")
    Bundle.objects.create(name="tea and cup")
    assert told(recorded) == [("Bundle", True, "tea and cup")]


def test_saving_a_child_is_no_save_of_its_parent(recorded):
    saves_of(Product)
    Bundle.objects.create(name="tea and cup")
    assert told(recorded) == []
    Product.objects.get().save()
    assert told(recorded) == [("Product", False, "tea and cup")]


def test_parent_and_child_may_both_be_bridged(recorded):
    saves_of(Product)
    saves_of(Bundle)
    Product.objects.create(name="tea")
    Bundle.objects.create(name="tea and cup")
    assert told(recorded) == [("Product", True, "tea"), ("Bundle", True, "tea and cup")]
    assert Bundle.objects.get().product_ptr.name == "tea and cup"


def test_a_proxy_is_a_sender_of_its_own(recorded):
    saves_of(Clearance)
    Product.objects.create(name="tea")
    Clearance.objects.create(name="old tea")
    assert told(recorded) == [("Clearance", True, "old tea")]


def test_a_row_with_deferred_fields_is_bridged_as_its_model(recorded):
    Note.objects.create(text="a")
    saves_of(Note)
    Note.objects.defer("text").get().save()
    assert told(recorded) == [("Note", False, "a")]


def test_update_fields_reach_the_receiver_and_limit_the_save(recorded):
    saves_of(Product)
    product = Product.objects.create(name="tea", stock=1)
    product.name, product.stock = "coffee", 2
    product.save(update_fields=["stock"])
    assert recorded()[-1]["update_fields"] == ["stock"]
    product.refresh_from_db()
    assert (product.name, product.stock) == ("tea", 2)


def test_a_save_of_no_fields_sends_no_signal(recorded):
    note = Note.objects.create(text="a")
    saves_of(Note)
    note.save(update_fields=[])
    assert recorded() == []


def test_inserts_and_updates_can_be_forced(recorded):
    saves_of(Note)
    note = Note(pk=5, text="a")
    note.save(force_insert=True)
    note.save(force_update=True)
    assert [created for _, created, _ in told(recorded)] == [True, False]
    with pytest.raises(Exception, match=r"(?i)unique"):
        Note(pk=5).save(force_insert=True)
    assert len(recorded()) == 2


def test_get_or_create_emits_once_and_update_or_create_each_time(recorded):
    saves_of(Tag)
    for _ in range(2):
        Tag.objects.get_or_create(name="green")
    assert told(recorded) == [("Tag", True, "green")]
    for _ in range(2):
        Tag.objects.update_or_create(name="black", defaults={"name": "black"})
    assert told(recorded)[1:] == [("Tag", True, "black"), ("Tag", False, "black")]


def test_saves_through_relations_are_bridged(recorded):
    saves_of(OrderLine)
    order = Order.objects.create(customer=User.objects.create_user("ann@example.org"))
    order.lines.create(quantity=3)
    assert told(recorded) == [("OrderLine", True, "3 x None")]


def test_bulk_operations_send_no_signals_and_so_emit_nothing(recorded):
    saves_of(Note)
    notes = Note.objects.bulk_create([Note(text="a"), Note(text="b")])
    Note.objects.update(text="c")
    notes[0].text = "d"
    Note.objects.bulk_update(notes, ["text"])
    Note.objects.all()._raw_delete("default")
    assert recorded() == []


def test_a_save_base_of_the_models_own_is_called_with_what_it_expects(recorded):
    calls = []

    def save_base(self: Note, *args: Any, **kwargs: Any) -> None:
        calls.append((args, kwargs))
        models.Model.save_base(self, *args, **kwargs)

    Note.save_base = save_base  # type: ignore[method-assign]
    saves_of(Note)
    Note.objects.create(text="a")
    assert told(recorded) == [("Note", True, "a")]
    [(args, kwargs)] = calls
    assert args == ()
    assert set(kwargs) == {"using", "force_insert", "force_update", "update_fields"}


def test_a_save_base_that_passes_its_arguments_by_place_works_on_a_bridged_parent(recorded):
    def save_base(
        self: Any, raw: bool = False, force_insert: Any = False, force_update: bool = False,
        using: Any = None, update_fields: Any = None,
    ) -> None:  # fmt: skip
        super(Bundle, self).save_base(raw, force_insert, force_update, using, update_fields)

    Bundle.save_base = save_base  # type: ignore[method-assign]
    saves_of(Product)
    saves_of(Bundle)
    Bundle.objects.create(name="tea and cup")
    assert told(recorded) == [("Bundle", True, "tea and cup")]


def test_a_model_is_wrapped_once_however_many_bridges_it_has():
    saves_of(Note)
    wrapped = Note.save_base
    saves_of(Note)
    _save_atomically(Note)
    assert Note.save_base is wrapped


def test_a_bridged_save_outside_a_transaction_is_one_and_inside_another_stays_part_of_it():
    saves_of(Note)
    note = Note.objects.create(text="a")
    with CaptureQueriesContext(connection) as queries:
        note.save()
    assert [query["sql"].split()[0] for query in queries] == ["BEGIN", "UPDATE", "INSERT", "COMMIT"]
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        note.save()
    assert [query["sql"].split()[0] for query in queries] == ["UPDATE", "INSERT"]
