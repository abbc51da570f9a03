"""A small project to be tested: what is ordered is packed, what is packed is sent, and somebody keeps a log."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from eventbridge import Consumer, Event, Reject, Retry, emit, event_type
from tests.shop.models import Note, Tag


@event_type("kit.ordered.v1", key="number")
class Ordered:
    number: int
    item: str = "lamp"
    price: Decimal = Decimal("9.90")


@event_type("kit.packed.v1")
class Packed:
    item: str


@event_type("kit.sent.v1", mandatory=False)
class Sent:
    to: str
    at: datetime | None = None
    by: UUID | None = None


packing = Consumer("kit.packing", retries=(5, 30))
sending = Consumer("kit.sending", atomic=False, retries=(60,))
log = Consumer("kit.log")


@packing.handles(Ordered)
def pack(event: Event[Ordered]) -> None:
    """Does what the item says."""
    write(f"packed {event.data.item}")
    match event.data.item:
        case "piano":
            raise ValueError("there is no box for a piano")
        case "air":
            raise Reject("nothing was ordered")
        case "bread":
            raise Retry("it is not baked yet", after=20)
        case "twins":
            write("x" * 10)
            Tag.objects.create(name="once")
            Tag.objects.create(name="once")
    transaction.on_commit(lambda: write(f"committed {event.data.item}"))
    emit(Packed(item=event.data.item))


@sending.handles(Packed)
def send(event: Event[Packed]) -> None:
    write(f"sent {event.data.item}")
    if event.data.item == "glass":
        raise OSError("the lorry has crashed")
    if event.data.item == "twin tags":
        Tag.objects.create(name="twin")
        Tag.objects.create(name="twin")


@log.handles("kit.#")
async def keep(event: Event[Any]) -> None:
    await Note.objects.acreate(text=f"log {event.type} {event.data.get('item')}")


def write(text: str) -> None:
    Note.objects.create(text=text)


def notes() -> list[str]:
    return list(Note.objects.order_by("pk").values_list("text", flat=True))
