"""docs/reference/topology.md against eventbridge/topology.py."""

import re

from eventbridge.consumer import Consumer
from eventbridge.topology import Topology, matches, rung, topology_of
from tests.docs.pages import read, table

PAGE = read("docs/reference/topology.md")


def _example() -> Topology:
    return topology_of([Consumer("bookstore.email", retries=(30,)), Consumer("bookstore.ledger", ordered=True)])


def test_every_exchange_is_in_the_table_with_its_kind() -> None:
    documented = {row[0].strip("`"): row[1] for row in table(PAGE, "exchange")}
    assert documented == {exchange.name: exchange.kind for exchange in _example().exchanges}


def test_every_argument_of_a_queue_is_in_the_table() -> None:
    documented = {row[0]: set(re.findall(r"`(x-[^`]+)`", row[1])) for row in table(PAGE, "queue")}
    queues = {queue.name: queue.arguments for queue in _example().queues}
    for heading, names in {
        "each consumer's, of its name": ("bookstore.email", "bookstore.ledger"),
        "`eventbridge.retry.30s` and the other rungs": (rung(30),),
        "`eventbridge.lost`": ("eventbridge.lost",),
    }.items():
        arguments = {f"{key}: {_yaml(value)}" for name in names for key, value in queues[name].items()}
        assert documented[heading] == arguments


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_rungs_are_named_as_the_page_says() -> None:
    assert (rung(5), rung(0.5)) == ("eventbridge.retry.5s", "eventbridge.retry.500ms")


def test_the_patterns_of_the_page_match_as_it_says() -> None:
    key = "bookstore.book.published.v1"
    assert matches("bookstore.book.#", key)
    assert matches("bookstore.book.*.v1", key)
    assert not matches("bookstore.book.*", key)
