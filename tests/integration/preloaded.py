"""A site as a preloading server runs it: loaded in one process, served by its forks."""

import os
import sys

import django

WORKERS = 3


def serve(text: str) -> None:
    """One request: a change, and what its bridge makes of it."""
    from tests.shop.models import Order, User

    customer, _ = User.objects.get_or_create(email="someone@shop.example")
    Order.objects.create(customer=customer, paid=text == "paid")


def fork(text: str) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        serve(text)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    django.setup()
    children = [fork("paid") for _ in range(WORKERS)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    serve("by the parent")
    sys.exit(sum(codes))
