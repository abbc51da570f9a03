"""One change in autocommit, with its event: what a web process does, in a process that may die over it."""

import sys

import django


def main(customer: str) -> None:
    django.setup()
    from tests.shop.models import Order

    Order.objects.create(customer_id=customer)


if __name__ == "__main__":
    main(sys.argv[1])
