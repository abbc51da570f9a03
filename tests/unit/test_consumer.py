"""Consumer: names, rungs, handlers, and how the modules that define them are found."""

import sys
from types import ModuleType
from typing import Any

import pytest

from eventbridge import Consumer, Event, event_type
from eventbridge.consumer import consumers_in


@event_type("unit.letter.posted.v1")
class LetterPosted:
    to: str


def handler(event: Event[Any]) -> None: ...


def other(event: Event[Any]) -> None: ...


def third(event: Event[Any]) -> None: ...


# --- its policy ---


@pytest.mark.parametrize("name", ["", "a" * 201, "ä" * 101, "a\x00b", "a\nb", "a\x1b[2J", "a\u202eb"])
def test_a_name_that_is_no_queue_name_is_refused(name):
    with pytest.raises(ValueError, match="1 to 200 bytes"):
        Consumer(name)


@pytest.mark.parametrize("name", ["amq.mail", "eventbridge.mail", "eventbridge.events"])
def test_a_reserved_name_is_refused(name):
    with pytest.raises(ValueError, match="reserved"):
        Consumer(name)


@pytest.mark.parametrize("name", ["a", "a" * 200, "ä" * 100, "eventbridge", "book store", "amq"])
def test_any_other_name_is_taken(name):
    assert Consumer(name).name == name


@pytest.mark.parametrize(
    "policy",
    [
        {"concurrency": 0},
        {"batch": 0},
        {"timeout": 0},
        {"timeout": -1},
        {"retries": (0,)},
        {"retries": (5, -1)},
        {"redact": "author_email"},
        {"redact": (1,)},
        {"redact": ("",)},
        {"redact": ("id",)},
    ],
)
def test_a_policy_that_cannot_work_is_refused_with_the_consumers_name(policy):
    with pytest.raises(ValueError, match=r"Consumer\('mail'\)"):
        Consumer("mail", **policy)


@pytest.mark.parametrize(
    ("policy", "prefetch"),
    [
        ({}, 2),
        ({"concurrency": 4}, 8),
        ({"batch": 10}, 20),
        ({"concurrency": 4, "batch": 10}, 20),
        ({"ordered": True}, 1),
    ],
)
def test_twice_as_many_are_held_as_can_run_and_one_where_order_counts(policy, prefetch):
    assert Consumer("mail", **policy).prefetch == prefetch


@pytest.mark.parametrize(
    ("attempt", "asked", "after"),
    [
        (1, None, 5),
        (2, None, 30),
        (3, None, 300),
        (4, None, None),
        (99, None, None),
        (1, 0, 5),
        (1, 5, 5),
        (1, 5.1, 30),
        (1, 31, 300),
        (1, 10_000, 300),
        (3, 1, 5),
        (4, 1, None),
    ],
)
def test_a_failed_attempt_waits_on_the_next_rung_or_on_the_one_asked_for(attempt, asked, after):
    assert Consumer("mail", retries=(5, 30, 300)).rung(attempt, asked) == after


def test_rungs_are_climbed_from_the_shortest_in_whatever_order_they_are_written():
    assert [Consumer("mail", retries=(30, 1, 5)).rung(attempt) for attempt in (1, 2, 3)] == [1, 5, 30]


def test_without_rungs_the_first_failure_is_the_last():
    consumer = Consumer("mail", retries=())
    assert consumer.rung(1) is None
    assert consumer.rung(1, asked=5) is None


# --- its handlers ---


def test_a_handler_is_returned_unchanged():
    assert Consumer("mail").handles(LetterPosted)(handler) is handler


def test_an_event_runs_the_handler_of_its_type():
    consumer = Consumer("mail")
    consumer.handles(LetterPosted)(handler)
    found = consumer.handler_for("unit.letter.posted.v1")
    assert found is not None
    assert (found.function, found.payload, found.key) == (handler, LetterPosted, "unit.letter.posted.v1")
    assert consumer.handler_for("unit.letter.posted.v2") is None


def test_an_exact_type_wins_over_a_pattern_that_came_first():
    consumer = Consumer("mail")
    consumer.handles("#")(other)
    consumer.handles(LetterPosted)(handler)
    assert consumer.handler_for("unit.letter.posted.v1").function is handler  # type: ignore[union-attr]
    assert consumer.handler_for("unit.letter.lost.v1").function is other  # type: ignore[union-attr]


def test_an_earlier_pattern_wins_over_a_later_one():
    consumer = Consumer("mail")
    consumer.handles("unit.*")(handler)
    consumer.handles("unit.#")(other)
    consumer.handles("#")(third)
    names = ["unit.a", "unit.a.b", "shop.a"]
    assert [consumer.handler_for(name).function for name in names] == [handler, other, third]  # type: ignore[union-attr]


def test_an_exact_name_without_a_class_gets_plain_json():
    consumer = Consumer("mail")
    consumer.handles("unit.letter.posted.v1")(handler)
    found = consumer.handler_for("unit.letter.posted.v1")
    assert found is not None
    assert found.payload is None


def test_a_class_name_is_no_pattern_for_other_names():
    consumer = Consumer("mail")
    consumer.handles(LetterPosted)(handler)
    assert consumer.handler_for("unit.letter.posted") is None


@pytest.mark.parametrize("again", [LetterPosted, "unit.letter.posted.v1"])
def test_a_second_handler_for_one_type_is_refused(again):
    consumer = Consumer("mail")
    consumer.handles(LetterPosted)(handler)
    with pytest.raises(ValueError, match=r"already handles 'unit\.letter\.posted\.v1'"):
        consumer.handles(again)(other)


def test_a_class_that_is_no_event_is_refused():
    with pytest.raises(TypeError, match="int is no event"):
        Consumer("mail").handles(int)


def test_its_keys_are_what_it_asked_for_in_order():
    consumer = Consumer("mail")
    consumer.handles("b.#")(handler)
    consumer.handles(LetterPosted)(other)
    assert consumer.keys == ("b.#", "unit.letter.posted.v1")


# --- finding them ---


@pytest.fixture
def module(monkeypatch):
    def define(name: str, **names: Any) -> str:
        made = ModuleType(name)
        vars(made).update(names)
        monkeypatch.setitem(sys.modules, name, made)
        return name

    return define


def test_consumers_are_found_in_the_order_of_their_modules(module):
    a, b, c = Consumer("a"), Consumer("b"), Consumer("c")
    names = [module("unit_second", consumer=c), module("unit_first", b=b, a=a)]
    assert consumers_in(names) == [c, b, a]


def test_a_consumer_that_is_imported_twice_is_one(module):
    shared = Consumer("shared")
    assert consumers_in([module("unit_one", x=shared, y=shared), module("unit_two", x=shared)]) == [shared]


def test_two_consumers_of_one_name_are_refused(module):
    names = [module("unit_one", x=Consumer("mail")), module("unit_two", x=Consumer("mail"))]
    with pytest.raises(LookupError, match="two consumers are named 'mail', one of them in 'unit_two'"):
        consumers_in(names)


def test_a_module_without_a_consumer_is_refused(module):
    with pytest.raises(LookupError, match="'unit_empty' defines no Consumer"):
        consumers_in([module("unit_empty")])


@pytest.mark.parametrize("name", ["no_such_module", "tests.no_such_module", "no_such_package.module"])
def test_a_module_that_is_not_there_is_named(name):
    with pytest.raises(LookupError, match=f"there is no module '{name}'"):
        consumers_in([name])


def test_a_module_whose_own_import_fails_says_which(tmp_path, monkeypatch):
    (tmp_path / "unit_broken.py").write_text("import a_library_that_is_missing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_missing"):
        consumers_in(["unit_broken"])
