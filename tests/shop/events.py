"""Found by its name. Orders alone are bridged here: what a test needs of the other models, it bridges itself."""

from typing import Any

from django.db.models.signals import post_save, pre_delete

from eventbridge import bridge
from tests.shop.contracts import OrderDeleted, OrderSaved
from tests.shop.models import Order


@bridge(post_save, sender=Order)
def order_saved(instance: Order, created: bool, **kwargs: Any) -> OrderSaved:
    return OrderSaved(order_id=instance.pk, paid=instance.paid, created=created)


@bridge(pre_delete, sender="shop.Order")
def order_deleted(instance: Order, **kwargs: Any) -> OrderDeleted:
    return OrderDeleted(order_id=instance.pk)
