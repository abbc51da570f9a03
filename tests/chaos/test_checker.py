"""The checker finds what it is there to find: each kind of failure, planted into a run that held."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.chaos.checker import Committed, Dead, Effect, History, check

CONSUMERS = ("atomic", "ordered", "outside")
POISONED = Committed("e4", "k1", 2, does="poison", to="atomic")
COMMITTED = [Committed("e1", "k0", 1), Committed("e2", "k0", 2), Committed("e3", "k1", 1), POISONED]


@pytest.fixture
def history() -> History:
    """A run in which every promise was held: one event was poison for one consumer."""
    effects = [Effect(name, e.event, e.key, e.n) for name in CONSUMERS for e in COMMITTED]
    effects.remove(Effect("atomic", "e4", "k1", 2))
    return History(
        consumers=CONSUMERS,
        exactly_once=("atomic", "ordered"),
        ordered=("ordered",),
        committed=list(COMMITTED),
        attempted={"e1", "e2", "e3", "e4", "rolled back"},
        effects=effects,
        dead=[Dead("atomic", "e4", "crashed", 5)],
        begun=Counter({("atomic", "e4"): 5, ("atomic", "e1"): 1}),
        left={"outbox": 0, "atomic": 0},
        exits={"relay": 0},
        fired={"kill relay": 2},
        wanted=("kill relay",),
        enough=4,
    )


def test_a_run_that_held_has_no_problems(history: History) -> None:
    assert check(history) == {}


def test_an_event_without_effect_is_lost(history: History) -> None:
    history.effects.remove(Effect("outside", "e2", "k0", 2))
    assert check(history) == {"lost": ["outside e2 k0/2"]}


def test_an_event_that_takes_effect_again_is_found(history: History) -> None:
    history.effects.append(Effect("atomic", "e2", "k0", 2))
    assert check(history) == {"twice": ["atomic e2: 2 effects"]}


def test_outside_work_may_be_repeated(history: History) -> None:
    history.effects.append(Effect("outside", "e2", "k0", 2))
    assert check(history) == {}


def test_an_effect_beside_a_dead_letter_is_one_too_many(history: History) -> None:
    history.effects.append(Effect("atomic", "e4", "k1", 2))
    assert check(history) == {"twice": ["atomic e4: 1 effects and a dead letter"]}


def test_a_rolled_back_event_that_takes_effect_is_a_ghost(history: History) -> None:
    history.effects.append(Effect("atomic", "rolled back", "k0", 3))
    assert check(history) == {"ghost": ["rolled back"]}


def test_a_rolled_back_event_that_a_handler_only_began_on_is_a_ghost_too(history: History) -> None:
    history.begun["atomic", "rolled back"] += 1
    assert check(history) == {"ghost": ["rolled back"]}


def test_an_event_that_nobody_ever_emitted_is_an_alien(history: History) -> None:
    history.effects.append(Effect("outside", "from elsewhere"))
    assert check(history) == {"alien": ["from elsewhere"]}


def test_an_alien_among_the_dead_letters_is_found(history: History) -> None:
    history.dead.append(Dead("atomic", "from elsewhere", "malformed", 1))
    assert set(check(history)) == {"alien", "dead"}


def test_effects_of_one_key_in_another_order_are_found_where_order_was_promised(history: History) -> None:
    first, second = Effect("ordered", "e1", "k0", 1), Effect("ordered", "e2", "k0", 2)
    history.effects = [e for e in history.effects if e not in (first, second)] + [second, first]
    assert check(history) == {"misordered": ["ordered k0/1 came after k0/2"]}


def test_other_consumers_may_handle_in_any_order(history: History) -> None:
    history.effects.sort(
        key=lambda effect: (effect.consumer == "ordered", effect.n if effect.consumer == "ordered" else -effect.n)
    )
    assert check(history) == {}


def test_order_is_promised_within_one_key_only(history: History) -> None:
    history.effects.sort(key=lambda effect: (effect.key != "k1", effect.n))
    assert check(history) == {}


def test_what_should_have_died_and_did_not_is_found(history: History) -> None:
    history.dead.clear()
    history.effects.append(Effect("atomic", "e4", "k1", 2))
    assert check(history) == {"dead": ["atomic e4: should be crashed"]}


def test_a_dead_letter_that_nobody_asked_for_is_found(history: History) -> None:
    history.effects.remove(Effect("outside", "e1", "k0", 1))
    history.dead.append(Dead("outside", "e1", "failed", 4))
    assert set(check(history)) == {"dead"}


def test_a_neighbour_that_was_charged_for_anothers_death_is_found(history: History) -> None:
    history.effects.remove(Effect("atomic", "e1", "k0", 1))
    history.dead.append(Dead("atomic", "e1", "crashed", 5))
    assert check(history) == {"dead": ["atomic e1: crashed after 5 attempts, of which 1 began"]}


def test_an_event_whose_process_was_really_killed_that_often_is_bad_luck(history: History) -> None:
    history.effects.remove(Effect("atomic", "e1", "k0", 1))
    history.dead.append(Dead("atomic", "e1", "crashed", 5))
    history.begun["atomic", "e1"] = 5
    assert check(history) == {}


def test_a_dead_letter_for_the_wrong_reason_is_found(history: History) -> None:
    history.dead = [replace(history.dead[0], reason="failed")]
    assert set(check(history)) == {"dead"}


def test_what_is_parked_is_found_with_the_brokers_reason(history: History) -> None:
    history.parked["e1"] = "no queue is bound for its type"
    assert check(history) == {"parked": ["e1: no queue is bound for its type"]}


def test_an_event_that_nobody_wants_is_to_be_parked_and_is_not_lost(history: History) -> None:
    history.committed.append(Committed("e5", "k1", 3, does="unwanted"))
    history.parked["e5"] = "no queue is bound for its type"
    assert check(history) == {}


def test_an_event_that_nobody_wants_and_that_is_gone_is_found(history: History) -> None:
    history.committed.append(Committed("e5", "k1", 3, does="unwanted"))
    assert check(history) == {"parked": ["e5: should be parked"]}


def test_what_is_left_in_a_queue_or_the_outbox_is_found(history: History) -> None:
    history.left = {"outbox": 3, "atomic": 0, "eventbridge.retry.1s": 1}
    assert check(history) == {"left": ["outbox: 3", "eventbridge.retry.1s: 1"]}


def test_a_daemon_that_did_not_stop_as_it_should_is_found(history: History) -> None:
    history.exits["relay"] = -9
    assert check(history) == {"stopped": ["relay ended with -9"]}


def test_a_fault_that_never_happened_makes_a_run_vacuous(history: History) -> None:
    history.wanted = ("kill relay", "restart broker")
    assert check(history) == {"vacuous": ["restart broker never happened"]}


def test_a_run_of_too_few_events_is_vacuous(history: History) -> None:
    history.enough = 100
    assert check(history) == {"vacuous": ["4 events were committed, fewer than 100"]}


def test_a_run_in_which_nothing_happened_is_no_success() -> None:
    assert set(check(History(consumers=CONSUMERS, exactly_once=(), ordered=()))) == {"vacuous"}
