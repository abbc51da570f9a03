"""Topic matching, and what the broker needs for a set of consumers."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventbridge import Consumer
from eventbridge.topology import Binding, matches, rung, topology_of


def definition(pattern: list[str], words: list[str]) -> bool:
    """AMQP 0-9-1, 3.1.3.3, word by word: * is exactly one, # is zero or more, anything else is itself."""
    if not pattern:
        return not words
    first, rest = pattern[0], pattern[1:]
    if first == "#":
        return any(definition(rest, words[used:]) for used in range(len(words) + 1))
    return bool(words) and first in ("*", words[0]) and definition(rest, words[1:])


def words_of(text: str) -> list[str]:
    return text.split(".") if text else []


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("shop.order.paid", "shop.order.paid", True),
        ("shop.order.paid", "shop.order.sent", False),
        ("shop.order", "shop.order.paid", False),
        ("shop.order.paid.v1", "shop.order.paid", False),
        ("shop.*.paid", "shop.order.paid", True),
        ("shop.*.paid", "shop.paid", False),
        ("shop.*.paid", "shop.big.order.paid", False),
        ("shop.*", "shop.order.paid", False),
        ("*", "shop", True),
        ("*", "shop.order", False),
        ("#", "shop.order.paid", True),
        ("#", "", True),
        ("*", "", False),
        ("", "", True),
        ("", "shop", False),
        ("shop.#", "shop", True),
        ("shop.#", "shop.order.paid", True),
        ("shop.#", "shopping", False),
        ("#.paid", "paid", True),
        ("#.paid", "shop.order.paid", True),
        ("#.paid", "shop.paid.order", False),
        ("shop.#.v1", "shop.v1", True),
        ("shop.#.v1", "shop.order.paid.v1", True),
        ("#.#", "", True),
        ("*.#", "", False),
        ("*.#", "shop", True),
        ("#.*", "", False),
        ("#.order.#", "shop.order.paid", True),
        ("#.order.#.order", "order.order", True),
        ("#.order.#.order", "order", False),
        ("..", "..", True),
        ("*.*", ".", True),
        ("shop.*", "shop.", True),
        ("sh*p", "shop", False),
        ("sh#", "shop", False),
        ("Shop", "shop", False),
    ],
)
def test_a_pattern_matches_as_amqp_defines(pattern, key, expected):
    assert matches(pattern, key) is expected
    assert definition(words_of(pattern), words_of(key)) is expected


words = st.sampled_from(["a", "b", "", "ab"])


@given(st.lists(words | st.sampled_from(["*", "#"]), max_size=7), st.lists(words, max_size=7))
@example(["*"], [])
@example(["#", "#", "a"], ["a", "a"])
def test_every_pattern_matches_as_the_definition_says(pattern, key):
    pattern_text, key_text = ".".join(pattern), ".".join(key)
    assert matches(pattern_text, key_text) == definition(words_of(pattern_text), words_of(key_text))


@pytest.mark.timeout(5)
def test_a_pattern_made_to_be_slow_is_not():
    assert not matches(".".join(["#.a"] * 60), ".".join(["a"] * 120 + ["b"]))


@pytest.mark.parametrize(
    ("seconds", "name"),
    [(30, "30s"), (30.0, "30s"), (3600, "3600s"), (0.5, "500ms"), (1.5, "1500ms"), (0.25, "250ms")],
)
def test_a_rung_is_named_by_its_delay(seconds, name):
    assert rung(seconds) == f"eventbridge.retry.{name}"


def consumer(name: str, *patterns: str, **options: object) -> Consumer:
    made = Consumer(name, **options)  # type: ignore[arg-type]
    for pattern in patterns:
        made.handles(pattern)(print)
    return made


def test_a_consumer_is_bound_by_what_it_handles_and_by_its_own_name():
    topology = topology_of([consumer("mail", "shop.#", "other.*", retries=())])
    assert Binding("eventbridge.events", "mail", "shop.#") in topology.bindings
    assert Binding("eventbridge.events", "mail", "other.*") in topology.bindings
    assert Binding("eventbridge.requeue", "mail", "mail") in topology.bindings


def test_consumers_share_the_rungs_of_the_ladder():
    topology = topology_of([consumer("a", retries=(1, 5)), consumer("b", retries=(5, 30.0))])
    rungs = [queue.name for queue in topology.queues if queue.name.startswith("eventbridge.retry.")]
    assert rungs == ["eventbridge.retry.1s", "eventbridge.retry.5s", "eventbridge.retry.30s"]


def test_a_rung_goes_back_through_the_requeue_exchange_after_its_delay():
    [queue] = [q for q in topology_of([consumer("a", retries=(0.5,))]).queues if "retry" in q.name]
    assert queue.arguments["x-message-ttl"] == 500
    assert queue.arguments["x-dead-letter-exchange"] == "eventbridge.requeue"
    assert "x-dead-letter-routing-key" not in queue.arguments


def test_an_ordered_consumer_waits_in_place_and_needs_no_rungs():
    topology = topology_of([consumer("a", ordered=True, retries=(1, 5))])
    assert not [queue for queue in topology.queues if "retry" in queue.name]
    [queue] = [queue for queue in topology.queues if queue.name == "a"]
    assert queue.arguments["x-single-active-consumer"] is True


def test_every_queue_is_a_quorum_queue_whose_limit_eats_no_message():
    for queue in topology_of([consumer("a", "#"), consumer("b", ordered=True)]).queues:
        assert queue.arguments["x-queue-type"] == "quorum"
        assert queue.arguments["x-delivery-limit"] == 1_000_000


def test_every_binding_is_between_what_is_declared():
    topology = topology_of([consumer("a", "#"), consumer("b", "x", ordered=True)])
    assert {binding.exchange for binding in topology.bindings} <= {exchange.name for exchange in topology.exchanges}
    assert {binding.queue for binding in topology.bindings} == {queue.name for queue in topology.queues}
