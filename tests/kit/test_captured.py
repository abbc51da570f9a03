"""captured_events and forget_events: what was emitted so far."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from eventbridge import emit, event_type
from eventbridge.errors import MalformedMessage
from eventbridge.event import event_types
from eventbridge.models import OutboxEntry
from eventbridge.testing import captured_events, deliver, forget_events
from tests.kit.parts import Ordered, Packed, Sent, log, packing
from tests.shop.contracts import OrderSaved
from tests.shop.models import Order, User

pytestmark = pytest.mark.django_db


def test_what_a_bridge_emits_is_captured_as_a_typed_event():
    order = Order.objects.create(customer=User.objects.create_user("ada@example.org"))
    [event] = captured_events()

    assert event.data == OrderSaved(order_id=order.pk, paid=False, created=True)
    assert (event.type, event.subject, event.source) == ("shop.order.saved.v1", str(order.pk), "/shop")
    assert event.sequence == f"{OutboxEntry.objects.get().pk:020}"


def test_values_come_back_as_their_types_from_the_wire():
    at, by = datetime(2026, 11, 23, 12, tzinfo=UTC), UUID(int=7)
    emit(Ordered(number=1, price=Decimal("9.90")))
    emit(Sent(to="Ada", at=at, by=by))

    assert [event.data for event in captured_events()] == [
        Ordered(number=1, item="lamp", price=Decimal("9.90")),
        Sent(to="Ada", at=at, by=by),
    ]


def test_a_class_or_a_pattern_chooses():
    emit(Ordered(number=1))
    emit(Packed(item="lamp"))

    assert [event.data for event in captured_events(Packed)] == [Packed(item="lamp")]
    assert [event.type for event in captured_events("kit.*.v1")] == ["kit.ordered.v1", "kit.packed.v1"]
    assert captured_events("kit.*") == []


def test_a_type_that_no_class_here_has_is_plain_json():
    emit(Packed(item="lamp"))
    del event_types[Packed]

    assert [event.data for event in captured_events()] == [{"item": "lamp"}]


def test_what_is_no_event_type_is_said_so():
    with pytest.raises(TypeError, match="int is no event"):
        captured_events(int)


def test_a_class_that_an_event_does_not_fit_is_told():
    @event_type("kit.packed.v1")
    class PackedElsewhere:
        weight: int

    emit(Packed(item="lamp"))
    with pytest.raises(MalformedMessage, match=r"kit\.packed\.v1.*weight"):
        captured_events(PackedElsewhere)


def test_what_was_rolled_back_is_not_captured():
    with transaction.atomic():
        emit(Packed(item="mirror"))
        transaction.set_rollback(True)

    assert captured_events() == []


def test_events_stay_captured_when_they_were_delivered_and_keep_their_order():
    emit(Ordered(number=1))
    emit(Ordered(number=2, item="desk"))
    deliver(packing, log)
    emit(Ordered(number=3))

    numbers = [getattr(event.data, "number", event.data) for event in captured_events()]
    assert numbers == [1, 2, Packed(item="lamp"), Packed(item="desk"), 3]
    sequences = [event.sequence for event in captured_events()]
    assert sequences == sorted(sequences, key=str)


def test_forgotten_events_are_neither_captured_nor_delivered():
    emit(Ordered(number=1))
    deliver(packing)
    emit(Ordered(number=2))
    forget_events()

    assert captured_events() == []
    assert deliver(packing) == []


def test_a_parked_event_is_captured_too(settings: Any):
    emit(Ordered(number=1))
    OutboxEntry.objects.update(parked_at=datetime.now(UTC), parked_reason="nobody is bound")

    assert len(captured_events(Ordered)) == 1
