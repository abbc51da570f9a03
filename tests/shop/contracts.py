"""The shop's events, as other services may import them: no Django here."""

from uuid import UUID

from eventbridge import event_type


@event_type("shop.order.saved.v1", key="order_id", mandatory=False)
class OrderSaved:
    order_id: UUID
    paid: bool
    created: bool


@event_type("shop.order.deleted.v1", key="order_id", mandatory=False)
class OrderDeleted:
    order_id: UUID
