"""The checker finds what it is there to find: each kind of failure, planted into a run that held."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.fuzz.checker import Due, Effect, Letter, Outcome, check, key_of

KEY = ("c", "/s", "1")


@pytest.fixture
def outcome() -> Outcome:
    """A sound event that came twice; another one that could not be read, twice as well; and one that failed."""
    return Outcome(
        due=[
            Due(0, "c", "sound", KEY, wholesome=True),
            Due(1, "c", "sound", KEY),
            Due(2, "c", "broken", headers={"a": 1}),
            Due(3, "c", "broken", headers={"a": 1}),
            Due(4, "c", "failing", ("c", "/s", "2"), headers={"b": ..., "t": "x"}),
        ],
        effects=[Effect("c", "/s", "1", "sound")],
        letters=[Letter("c", "broken", "malformed", {"a": 1}), Letter("c", "failing", "failed", {"b": 1, "t": "x"})],
        burials=Counter({("c", "broken"): 2, ("c", "failing"): 1}),
        duplicates=Counter({KEY: 1}),
        left={"c": 0},
        wanted=("malformed", "failed", "duplicate", "an effect of c", "a dead letter of c"),
    )


def test_a_run_in_which_all_is_accounted_for_has_no_problems(outcome: Outcome):
    assert check(outcome) == {}


def test_a_message_that_is_nowhere_is_lost(outcome: Outcome):
    outcome.due.append(Due(5, "c", "nowhere", ("c", "/s", "5")))
    assert check(outcome) == {"lost": ["message 5 at c"]}


def test_a_message_that_one_of_its_consumers_never_got_is_lost(outcome: Outcome):
    outcome.due.append(Due(0, "another", "sound", ("another", "/s", "1")))
    assert check(outcome) == {"lost": ["message 0 at another"]}


def test_a_letter_that_was_never_kept_is_lost_although_its_burial_was_announced(outcome: Outcome):
    outcome.letters = [letter for letter in outcome.letters if letter.digest != "failing"]
    assert check(outcome)["lost"] == ["message 4 at c"]


def test_one_of_two_messages_alike_that_is_lost_is_found(outcome: Outcome):
    outcome.burials["c", "broken"] = 1
    assert check(outcome) == {"lost": ["message 3 at c"]}


def test_a_duplicate_that_nobody_counted_is_lost(outcome: Outcome):
    outcome.duplicates = Counter({("c", "/s", "another"): 1})
    assert check(outcome) == {"lost": ["message 1 at c"]}


def test_an_event_that_takes_effect_again_is_found(outcome: Outcome):
    outcome.effects.append(Effect("c", "/s", "1", "sound"))
    assert check(outcome) == {"twice": ["'c' '/s' '1': 2 effects"]}


def test_outside_work_may_be_repeated(outcome: Outcome):
    outcome.effects.append(Effect("c", "/s", "1", "sound"))
    assert check(replace(outcome, at_least_once=["c"])) == {}


def test_a_letter_with_another_body_is_found(outcome: Outcome):
    outcome.letters[0] = replace(outcome.letters[0], digest="mended")
    found = check(outcome)
    assert found["changed"] == ["a letter of c, mended"]
    assert found["lost"] == ["message 2 at c", "message 3 at c"]


def test_an_effect_of_what_nobody_sent_is_found(outcome: Outcome):
    outcome.effects.append(Effect("c", "/s", "9", "alien"))
    assert check(outcome) == {"changed": ["an effect of c"]}


@pytest.mark.parametrize("shown", [{}, {"a": 2}, {"a": "1"}, {"a": True}, {"a": 1, "b": 1}])
def test_a_letter_with_other_headers_is_found(outcome: Outcome, shown: dict[str, object]):
    outcome.letters[0] = replace(outcome.letters[0], headers=shown)
    assert list(check(outcome)) == ["headers"]


def test_a_sound_event_that_is_a_dead_letter_was_wronged(outcome: Outcome):
    outcome.effects.clear()
    outcome.letters.append(Letter("c", "sound", "failed"))
    outcome.burials["c", "sound"] = 1
    outcome.wanted = ()
    assert check(outcome)["wronged"] == ["message 0 at c is failed"]


@pytest.mark.parametrize(
    ("change", "bucket"),
    [
        ({"restarts": 1}, "died"),
        ({"exit_code": 70}, "died"),
        ({"left": {"c": 3}}, "left"),
        ({"said": {"Traceback": 1}}, "said"),
        ({"told": ["consume.0.log: amqp://guest:***@one"]}, "told"),
        ({"wanted": ("rejected",)}, "vacuous"),
        ({"wanted": ("an effect of another",)}, "vacuous"),
    ],
)
def test_a_process_that_was_not_well_is_found(outcome: Outcome, change: dict[str, object], bucket: str):
    assert list(check(replace(outcome, **change))) == [bucket]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"source":"/s","id":"1"}', {}),
        (b'{"id":"0","id":"1","source":"/s"}', {}),
        (b'{"source":"/s","id":"1","more\xee":' + b"9" * 5_000 + b"}", {}),
        (b"garbage", {"CE-id": "1", "ce-source": "/s"}),
        (b"[]", {"cloudEvents:id": 1, "cloudEvents:source": "/s"}),
    ],
)
def test_source_and_id_are_read_by_another_reader(body: bytes, headers: dict[str, object]):
    assert key_of("c", body, headers) == KEY


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff", b'{"id":1}'])
def test_where_there_is_no_source_and_id_there_is_no_key(body: bytes):
    assert key_of("c", body, {"ce-id": "1"}) is None
