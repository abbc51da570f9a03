"""@bridge: every kind of signal, what a receiver may return, and how it is called."""

import asyncio
import functools
from collections.abc import Iterator
from typing import Any

import django
import pytest
from asgiref.sync import sync_to_async
from django.core import serializers
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.models import signals
from django.dispatch import Signal

from eventbridge import bridge, event_type
from eventbridge.capture import bridges
from eventbridge.errors import EventbridgeError, InvalidEvent
from eventbridge.models import OutboxEntry
from tests.shop.models import Note, Order, OrderLine, Product, Tag, User

pytestmark = pytest.mark.django_db


@event_type("capture.happened.v1", key="what")
class Happened:
    what: str
    pk: int | None = None
    extra: list[int] | None = None


@event_type("capture.other.v1")
class Other:
    what: str


# --- kinds of signals ---


@pytest.mark.parametrize("kind", [signals.pre_save, signals.post_save, signals.pre_delete, signals.post_delete])
def test_a_models_signal_becomes_an_event(kind, recorded):
    @bridge(kind, sender=Note)
    def happened(instance: Note, **kwargs: Any) -> Happened:
        return Happened(what=instance.text, pk=instance.pk)

    note = Note.objects.create(text="tea")
    pk = note.pk
    if kind in (signals.pre_delete, signals.post_delete):
        assert recorded() == []
        note.delete()
    assert recorded() == [{"what": "tea", "pk": None if kind is signals.pre_save else pk, "extra": None}]


def test_a_custom_signal_becomes_an_event(signal, recorded):
    @bridge(signal)
    def happened(what: str, **kwargs: Any) -> Happened:
        return Happened(what=what)

    signal.send(sender=None, what="tea")
    assert [data["what"] for data in recorded()] == ["tea"]


def test_a_receiver_gets_the_signal_the_sender_and_its_arguments_by_name(signal):
    seen = {}

    @bridge(signal, sender=Note)
    def happened(**kwargs: Any) -> Happened | None:
        seen.update(kwargs)
        return None

    signal.send(sender=Note, what="tea", using="default")
    assert seen == {"signal": signal, "sender": Note, "what": "tea", "using": "default"}


def test_a_change_of_many_to_many_becomes_an_event(recorded):
    @bridge(signals.m2m_changed, sender=Product.tags.through)
    def tagged(action: str, pk_set: set[int], **kwargs: Any) -> Happened | None:
        return Happened(what=action, extra=sorted(pk_set)) if action == "post_add" and pk_set else None

    product, tag = Product.objects.create(name="tea"), Tag.objects.create(name="green")
    product.tags.add(tag)
    assert [data["extra"] for data in recorded()] == [[tag.pk]]
    product.tags.add(tag)  # again: nothing is added, though the signal is sent
    assert len(recorded()) == 1


def test_adding_to_many_to_many_what_is_there_already_sends_an_empty_set(recorded):
    @bridge(signals.m2m_changed, sender=Product.tags.through)
    def tagged(action: str, pk_set: set[int], **kwargs: Any) -> Happened:
        return Happened(what=action, extra=sorted(pk_set))

    product, tag = Product.objects.create(name="tea"), Tag.objects.create(name="green")
    product.tags.add(tag)
    product.tags.add(tag)
    extras = [(data["what"], data["extra"]) for data in recorded()]
    assert extras[:2] == [("pre_add", [tag.pk]), ("post_add", [tag.pk])]
    assert all(extra == [] for _, extra in extras[2:])


def test_another_sender_is_not_bridged(signal, recorded):
    @bridge(signal, sender=Note)
    def happened(**kwargs: Any) -> Happened:
        return Happened(what="note")

    signal.send(sender=Product)
    assert recorded() == []
    signal.send(sender=Note)
    assert len(recorded()) == 1


def test_two_bridges_for_one_signal_and_sender_both_work(recorded):
    @bridge(signals.post_save, sender=Note)
    def one(**kwargs: Any) -> Happened:
        return Happened(what="one")

    @bridge(signals.post_save, sender=Note)
    def two(**kwargs: Any) -> Other:
        return Other(what="two")

    Note.objects.create()
    assert [data["what"] for data in recorded()] == ["one", "two"]


def test_a_list_of_signals_is_bridged_by_one_receiver(signal, recorded):
    @bridge([signals.post_save, signals.post_delete, signal], sender=Note)
    def happened(signal: Signal, **kwargs: Any) -> Happened:
        return Happened(what={signals.post_save: "saved", signals.post_delete: "deleted"}.get(signal, "custom"))

    Note.objects.create().delete()
    signal.send(sender=Note)
    assert [data["what"] for data in recorded()] == ["saved", "deleted", "custom"]


def test_the_function_is_returned_unchanged_and_can_be_called(signal):
    def happened(what: str, **kwargs: Any) -> Happened:
        return Happened(what=what)

    assert bridge(signal)(happened) is happened
    assert happened("tea") == Happened(what="tea")


def test_a_bridge_lives_although_nothing_else_refers_to_its_function(signal, recorded):
    def define() -> None:
        @bridge(signal, weak=True)
        def happened(**kwargs: Any) -> Happened:
            return Happened(what="alive")

    define()
    signal.send(sender=None)
    assert len(recorded()) == 1


def test_a_dispatch_uid_keeps_a_receiver_from_being_connected_twice(signal, recorded):
    def happened(**kwargs: Any) -> Happened:
        return Happened(what="once")

    bridge(signal, dispatch_uid="once")(happened)
    bridge(signal, dispatch_uid="once")(happened)
    signal.send(sender=None)
    assert len(recorded()) == 1


def test_what_is_connected_once_is_listed_once(signal):
    def happened(**kwargs: Any) -> Happened: ...

    before = len(bridges)
    for kinds, sender in [(signal, Note), (signal, Note), (signal, Product), ([signal, signals.post_save], Note)]:
        bridge(kinds, sender=sender, dispatch_uid="once")(happened)
    assert len(bridges) == before + 3


class Teller:
    """An object that can be called."""

    def __call__(self, what: str, **kwargs: Any) -> "Happened | None":
        return Happened(what=what)


class AsyncTeller:
    async def __call__(self, what: str, **kwargs: Any) -> Happened:
        return Happened(what=what)


def told(prefix: str, what: str, **kwargs: Any) -> Happened:
    return Happened(what=f"{prefix}{what}")


@pytest.mark.parametrize(
    ("function", "expected", "name"),
    [
        (functools.partial(told, "green "), "green tea", "told"),
        (functools.partial(functools.partial(told), "green "), "green tea", "told"),
        (Teller(), "tea", "Teller.__call__"),
        (Teller().__call__, "tea", "Teller.__call__"),
        (functools.partial(Teller()), "tea", "Teller.__call__"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_partials_and_objects_that_can_be_called_are_bridged(function, expected, name, signal, settings, recorded):
    settings.DEBUG = True
    bridge(signal)(function)
    signal.send(sender=None, what="tea")
    assert [data["what"] for data in recorded()] == [expected]
    assert str(bridges[-1]) == f"{__name__}.{name}"
    assert bridges[-1].types == (Happened,)


@pytest.mark.django_db(transaction=True)
def test_an_object_with_an_async_call_is_bridged(signal, recorded):
    bridge(signal)(AsyncTeller())
    signal.send(sender=None, what="tea")
    assert [data["what"] for data in recorded()] == ["tea"]


@pytest.mark.parametrize("function", [functools.partial(print), print, str, functools.partial(str)], ids=repr)
def test_what_has_no_annotation_says_so_by_its_name(function, signal):
    bridge(signal)(function)
    with pytest.raises(EventbridgeError, match=r"^builtins\.(print|str): the return annotation"):
        bridges[-1].types  # noqa: B018


@pytest.mark.parametrize("given", [[], (), 5, "post_save", ["post_save"], None, Note, lambda: None], ids=repr)
def test_what_is_no_signal_is_refused_with_an_example(given):
    before = len(bridges)
    with pytest.raises(TypeError, match=r"takes a signal .* as in @bridge\(post_save, sender=Book\)"):
        bridge(given)
    assert len(bridges) == before


@pytest.mark.parametrize("sender", [object(), 5, Signal, len], ids=repr)
@pytest.mark.parametrize("kind", [signals.post_save, signals.post_delete, [Signal(), signals.pre_delete]], ids=repr)
def test_a_sender_that_no_models_signal_has_is_refused(kind, sender):
    with pytest.raises(TypeError, match=r"sender is a model or its name, as in sender='shop\.Book', not"):
        bridge(kind, sender=sender)


@pytest.mark.parametrize("sender", [[Note, Product], (Note,), {Note}, []], ids=repr)
def test_several_senders_are_refused(sender, signal):
    for kind in (signals.post_save, signals.m2m_changed, signal):
        with pytest.raises(TypeError, match="bridge the function once for each"):
            bridge(kind, sender=sender)


def test_a_custom_signal_may_have_any_object_as_its_sender(signal, recorded):
    sender = object()

    @bridge(signal, sender=sender)
    def happened(**kwargs: Any) -> Happened:
        return Happened(what="a")

    signal.send(sender=object())
    signal.send(sender=sender)
    assert len(recorded()) == 1


def test_what_cannot_be_called_is_no_bridge(signal):
    with pytest.raises(TypeError, match="stands above a function, not 5"):
        bridge(signal)(5)  # type: ignore[type-var]


def test_a_bridge_is_accepted_where_debug_checks_receivers(signal, settings):
    settings.DEBUG = True

    @bridge(signal)
    def happened(**kwargs: Any) -> None: ...

    assert str(bridges[-1]).endswith("happened")
    with pytest.raises(ValueError, match="must accept keyword arguments"):

        @bridge(signal)
        def careless(instance: Note) -> None: ...


def test_fixtures_are_skipped(tmp_path, recorded):
    @bridge([signals.pre_save, signals.post_save], sender=Note)
    def happened(**kwargs: Any) -> Happened:
        return Happened(what="raw")

    fixture = tmp_path / "notes.json"
    fixture.write_text(serializers.serialize("json", [Note(pk=5, text="tea")]))
    call_command("loaddata", str(fixture), verbosity=0)
    assert Note.objects.get().text == "tea"
    assert recorded() == []


def test_many_to_many_of_fixtures_is_skipped_since_django_6_1_which_says_that_they_are(tmp_path, recorded):
    @bridge(signals.m2m_changed, sender=Product.tags.through)
    def tagged(action: str, **kwargs: Any) -> Happened:
        return Happened(what=action)

    tag = Tag.objects.create(name="green")
    product = Product.objects.create(name="tea")
    product.tags.add(tag)
    fixture = tmp_path / "products.json"
    fixture.write_text(serializers.serialize("json", [product]))
    product.delete()
    OutboxEntry.objects.all().delete()
    call_command("loaddata", str(fixture), verbosity=0)
    assert list(Product.objects.get().tags.all()) == [tag]
    told = {data["what"] for data in recorded()}
    assert told == (set() if django.VERSION >= (6, 1) else {"pre_add", "post_add"})


def test_an_argument_named_raw_of_a_custom_signal_is_only_an_argument(signal, recorded):
    @bridge(signal)
    def imported(raw: str, **kwargs: Any) -> Happened:
        return Happened(what=raw)

    signal.send(sender=None, raw="a,b,c")
    assert [data["what"] for data in recorded()] == ["a,b,c"]


# --- what it returns ---


def returning(signal: Signal, value: Any, annotation: Any = Happened) -> None:
    def receiver(**kwargs: Any) -> Any:
        return value() if callable(value) else value

    receiver.__annotations__["return"] = annotation
    bridge(signal)(receiver)
    signal.send(sender=None)


TWO = [Happened(what="a"), Happened(what="b")]


def generated() -> Iterator[Happened | None]:
    yield TWO[0]
    yield None
    yield TWO[1]


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (None, Happened | None, []),
        ([], list[Happened], []),
        ([None], list[Happened | None], []),
        (TWO[0], Happened, ["a"]),
        (TWO, list[Happened], ["a", "b"]),
        (tuple(TWO), tuple[Happened, ...], ["a", "b"]),
        ([TWO[0], None, TWO[1]], "list[Happened | None]", ["a", "b"]),
        (generated, Iterator[Happened], ["a", "b"]),
        ([Other(what="c"), TWO[0]], "list[Happened | Other]", ["c", "a"]),
        (Other(what="c"), Happened | Other, ["c"]),
    ],
    ids=repr,
)
def test_a_receiver_returns_one_event_none_or_several(value, annotation, expected, signal, recorded):
    returning(signal, value, annotation)
    assert [data["what"] for data in recorded()] == expected


@pytest.mark.parametrize(
    "value", [Other(what="a"), [TWO[0], Other(what="a")], "text", 5, True, {"what": "a"}, Happened, object()], ids=repr
)
def test_what_the_annotation_does_not_name_is_refused(value, signal, recorded):
    why = r"receiver returned a \w+, which its annotation does not name"
    with pytest.raises(InvalidEvent, match=why), transaction.atomic():
        returning(signal, lambda: value, Happened)
    assert recorded() == []


@pytest.mark.parametrize("annotation", [None, Any, int, list[int], Happened | int, "Nowhere", "1 +", list, dict])
def test_an_annotation_that_names_no_event_type_is_an_error_that_names_the_receiver(annotation, signal):
    with pytest.raises(EventbridgeError, match=r"receiver: the return annotation"):
        returning(signal, TWO[0], annotation)


def test_a_receiver_that_emits_nothing_writes_nothing(signal, django_assert_num_queries):
    @bridge(signal)
    def happened(**kwargs: Any) -> Happened | None:
        return None

    with django_assert_num_queries(0):
        signal.send(sender=None)


def test_several_events_of_one_receiver_are_one_insert(signal, django_assert_num_queries):
    @bridge(signal)
    def happened(**kwargs: Any) -> list[Happened]:
        return [Happened(what=str(number)) for number in range(50)]

    with django_assert_num_queries(1 + (connection.vendor == "postgresql")):  # whether to wake the relay
        signal.send(sender=None)
    assert OutboxEntry.objects.count() == 50


# --- asynchronous receivers ---


@pytest.mark.django_db(transaction=True)
def test_an_async_receiver_is_bridged_when_the_signal_is_sent(signal, recorded):
    @bridge(signal)
    async def happened(what: str, **kwargs: Any) -> Happened:
        await asyncio.sleep(0)
        return Happened(what=what)

    signal.send(sender=None, what="send")
    assert [data["what"] for data in recorded()] == ["send"]


@pytest.mark.django_db(transaction=True)
def test_an_async_receiver_is_bridged_when_the_signal_is_sent_asynchronously(signal, recorded):
    @bridge(signal)
    async def happened(what: str, **kwargs: Any) -> list[Happened]:
        await asyncio.sleep(0)
        return [Happened(what=what), Happened(what=str(await Note.objects.acount()))]

    @bridge(signal)
    def also(what: str, **kwargs: Any) -> Other:
        return Other(what=what)

    async def main() -> None:
        await signal.asend(sender=None, what="asend")
        await sync_to_async(connections.close_all)()  # those of asgiref's thread, which outlives the test

    asyncio.run(main())
    assert sorted(data["what"] for data in recorded()) == ["0", "asend", "asend"]


@pytest.mark.django_db(transaction=True)
def test_an_async_receiver_of_a_save_is_part_of_its_transaction(recorded):
    @bridge(signals.post_save, sender=Note)
    async def happened(instance: Note, **kwargs: Any) -> Happened:
        return Happened(what=(await Note.objects.aget(pk=instance.pk)).text)

    with transaction.atomic():
        Note.objects.create(text="kept")
    with transaction.atomic():
        Note.objects.create(text="not kept")
        transaction.set_rollback(True)
    assert [data["what"] for data in recorded()] == ["kept"]


@pytest.mark.django_db(transaction=True)
def test_an_asynchronous_save_is_bridged(recorded):
    @bridge(signals.post_save, sender=Note)
    def happened(instance: Note, **kwargs: Any) -> Happened:
        return Happened(what=instance.text)

    async def main() -> None:
        await Note.objects.acreate(text="tea")
        await sync_to_async(connections.close_all)()

    asyncio.run(main())
    assert [data["what"] for data in recorded()] == ["tea"]


# --- deletions ---


def test_a_cascade_emits_children_before_parents_and_everything_before_it_is_gone(recorded):
    @bridge(signals.pre_delete, sender=Order)
    def order(instance: Order, **kwargs: Any) -> Happened:
        return Happened(what="order", pk=OrderLine.objects.filter(order=instance).count())

    @bridge(signals.pre_delete, sender=OrderLine)
    def line(instance: OrderLine, origin: Any, **kwargs: Any) -> Happened:
        return Happened(what="line", pk=instance.quantity)

    @bridge(signals.post_delete, sender=OrderLine)
    def line_gone(instance: OrderLine, **kwargs: Any) -> Other:
        return Other(what=f"line {instance.quantity} gone")

    placed = Order.objects.create(customer=User.objects.create_user("ann@example.org"))
    for quantity in (1, 2):
        OrderLine.objects.create(order=placed, quantity=quantity)
    OutboxEntry.objects.all().delete()
    placed.delete()
    told = [(data["what"], data.get("pk")) for data in recorded() if "what" in data]
    assert sorted(told[:2]) == [("line", 1), ("line", 2)]
    assert told[2] == ("order", 2)
    assert sorted(what for what, _ in told[3:]) == ["line 1 gone", "line 2 gone"]


def test_deleting_a_queryset_emits_for_each_row(recorded):
    @bridge(signals.post_delete, sender=Note)
    def gone(instance: Note, **kwargs: Any) -> Happened:
        return Happened(what=instance.text, pk=instance.pk)

    notes = [Note.objects.create(text=text) for text in "abc"]
    Note.objects.exclude(text="b").delete()
    assert sorted((data["what"], data["pk"]) for data in recorded()) == [("a", notes[0].pk), ("c", notes[2].pk)]


def test_what_is_protected_is_not_deleted_and_emits_nothing(recorded):
    @bridge(signals.pre_delete, sender=User)
    def gone(**kwargs: Any) -> Happened:
        return Happened(what="user")

    customer = User.objects.create_user("ann@example.org")
    Order.objects.create(customer=customer)
    with pytest.raises(Exception, match="protected"):
        customer.delete()
    assert "user" not in [data.get("what") for data in recorded()]
