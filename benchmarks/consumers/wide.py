"""Fifty queues for a hundred types; nobody drains them."""

from benchmarks.wide import QUEUES, TYPES, name, queue
from eventbridge import Consumer, event_type


def _declare(number: int) -> type:
    class Wide:
        """One of a hundred."""

        number: int

    return event_type(name(number))(Wide)


PAYLOADS = [_declare(number) for number in range(TYPES)]


def _ignore(event: object) -> None:
    """Never called."""


for _number in range(QUEUES):
    globals()[f"consumer_{_number}"] = _consumer = Consumer(queue(_number))
    for _payload in PAYLOADS[_number::QUEUES]:
        _consumer.handles(_payload)(_ignore)
