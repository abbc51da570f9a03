"""The checker finds what it is there to find: each kind of failure, planted into a run that held."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.chaos.checker import check
from tests.chaos.endings import cause
from tests.chaos.history import Arrival, Committed, Dead, Deed, Effect, Ending, History, Run

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
        attempts=dict.fromkeys(CONSUMERS, 4),
        committed=list(COMMITTED),
        attempted={"e1", "e2", "e3", "e4", "rolled back"},
        effects=effects,
        dead=[Dead("atomic", "e4", "crashed", 4)],
        runs=[Run("atomic", "e1", "c.000", 1.0, 2.0), *(Run("atomic", "e4", f"c.00{n}", 3.0 + n) for n in range(5))],
        arrivals=[Arrival(e.event, e.key, e.n, sequence) for sequence, e in enumerate(COMMITTED)],
        endings=[Ending(f"c.00{n}", 9, 3.1 + n, "as it was told") for n in range(5)],
        misdeeds=[("poison", f"c.00{n}") for n in range(5)],
        left={"outbox": 0, "atomic": 0},
        exits={"relay": 0},
        fired=Counter({"kill relay": 2}),
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
    history.runs.append(Run("atomic", "rolled back"))
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
    assert check(history) == {"dead": ["outside e1: failed, and nobody asked for it"]}


@pytest.fixture
def innocent(history: History) -> History:
    """A fifth attempt at an innocent event ran in a process that ended, and it became a dead letter."""
    history.effects.remove(Effect("atomic", "e1", "k0", 1))
    history.dead.append(Dead("atomic", "e1", "crashed", 4))
    history.runs += [Run("atomic", "e1", f"c.10{n}", 10.0 + n) for n in range(4)]
    history.endings += [Ending(f"c.10{n}", -9, 10.5 + n) for n in range(4)]
    history.misdeeds += [("kill", f"c.10{n}") for n in range(3)]
    return history


def test_a_neighbour_that_was_charged_for_anothers_death_is_found(innocent: History) -> None:
    innocent.misdeeds.append(("kill", "c.103"))
    assert check(innocent) == {"dead": ["atomic e1: crashed, and nobody asked for it"]}


def test_an_event_whose_process_the_driver_killed_during_its_last_attempt_is_bad_luck(innocent: History) -> None:
    innocent.deeds.append(Deed("kill", "c.103", 13.4))
    assert check(innocent) == {}


def test_an_event_whose_last_attempt_ran_into_the_shutdown_deadline_is_bad_luck(innocent: History) -> None:
    innocent.endings[-1] = Ending("c.103", 1, 20.0)
    innocent.deeds.append(Deed("terminate", "c.103", 13.4))
    assert check(innocent) == {}


def test_a_kill_after_the_last_attempt_was_over_is_no_excuse(innocent: History) -> None:
    innocent.deeds.append(Deed("kill", "c.103", 13.4))
    innocent.runs[-1] = replace(innocent.runs[-1], over=13.2)
    assert check(innocent) == {"dead": ["atomic e1: crashed, and nobody asked for it"]}


def test_a_kill_of_another_process_is_no_excuse(innocent: History) -> None:
    innocent.misdeeds.append(("kill", "c.103"))
    innocent.endings.append(Ending("c.200", -9, 13.5))
    innocent.deeds.append(Deed("kill", "c.200", 13.4))
    assert check(innocent) == {"dead": ["atomic e1: crashed, and nobody asked for it"]}


@pytest.mark.parametrize("attempts", [1, 3, 5])
def test_a_dead_letter_after_too_few_or_too_many_attempts_is_found(history: History, attempts: int) -> None:
    history.dead = [replace(history.dead[0], attempts=attempts)]
    assert check(history) == {"dead": [f"atomic e4: crashed after {attempts} attempts, not 4"]}


def test_what_is_rejected_is_attempted_once(history: History) -> None:
    history.committed[-1] = replace(POISONED, does="reject")
    history.dead = [Dead("atomic", "e4", "rejected", 1)]
    assert check(history) == {}
    history.dead = [Dead("atomic", "e4", "rejected", 4)]
    assert check(history) == {"dead": ["atomic e4: rejected after 4 attempts, not 1"]}


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


def test_a_daemon_that_falls_over_is_found_with_its_last_words(history: History) -> None:
    history.endings.append(Ending("relay-1.000", 1, 5.0, "Traceback (most recent call last):\nOperationalError: gone"))
    [problem] = check(history)["fell"]
    assert problem.startswith("relay-1.000 ended with 1: ")
    assert "OperationalError: gone" in problem


@pytest.mark.parametrize(
    ("why", "ending"),
    [
        ("it ended quietly", Ending("relay-1.000", 0, 5.0)),
        ("a SIGTERM of no one", Ending("relay-1.000", -15, 5.0)),
        ("a kill of no one", Ending("relay-1.000", -9, 5.0)),
        ("it was asked, and fell before its deadline", Ending("asked", 1, 7.0)),
        ("it was asked, and did not heed it", Ending("asked", -15, 7.0, "the relay is ready")),
        ("it was asked once", Ending("asked", 143, 7.0)),
        ("its neighbour was killed", Ending("asked", -9, 7.0)),
        ("it exits as after another misdeed", Ending("hung", 9, 7.0)),
        ("a thread of it died", Ending("hung", 70, 7.0, "thread 'atomic pump 0' died")),
        ("no handler of it was late", Ending("relay-1.000", 70, 7.0, "a handler ran longer than 3 s")),
    ],
)
def test_an_ending_that_nobody_brought_about_is_found(history: History, why: str, ending: Ending) -> None:
    history.deeds = [Deed("terminate", "asked", 5.0), Deed("kill", "killed", 6.0)]
    history.misdeeds.append(("hang", "hung"))
    history.runs.append(Run("atomic", "e1", "hung", 3.0))
    history.endings.append(ending)
    assert list(check(history)) == ["fell"], why


@pytest.mark.parametrize(
    ("made_by", "ending"),
    [
        ("the driver's kill", Ending("killed", -9, 7.0)),
        ("SIGTERM", Ending("asked", 0, 7.0)),
        ("SIGTERM", Ending("asked", -15, 5.2)),
        ("SIGTERM", Ending("producer-1.000", -15, 7.0, "whatever it said")),
        ("the deadline", Ending("asked", 1, 11.1)),
        ("a second SIGTERM", Ending("producer-1.000", 143, 7.0)),
        ("a timeout", Ending("hung", 70, 7.0, "a handler ran longer than 3 s")),
        ("a timeout", Ending("frozen", 70, 7.0, "a handler ran longer than 3 s")),
        ("segfault", Ending("told", -11, 7.0)),
        ("exit", Ending("told", 9, 7.0)),
    ],
)
def test_an_ending_that_was_brought_about_is_none_of_its_own(history: History, made_by: str, ending: Ending) -> None:
    history.deeds = [Deed("terminate", name, 5.0) for name in ("asked", "producer-1.000", "producer-1.000")]
    history.deeds += [Deed("kill", "killed", 6.0), Deed("freeze", "frozen", 2.0)]
    history.misdeeds += [("segfault", "told"), ("exit", "told")]
    history.runs.append(Run("atomic", "e1", "hung", 3.0))
    history.endings.append(ending)
    assert check(history) == {}
    assert cause(ending, history) == made_by


def test_an_event_that_consumers_got_and_the_wire_did_not_show_is_found(history: History) -> None:
    del history.arrivals[1]
    assert check(history) == {"lost": ["on the wire e2 k0/2"]}


def test_an_event_that_first_arrives_after_a_later_one_of_its_key_is_found(history: History) -> None:
    first, second = history.arrivals[:2]
    history.arrivals[:2] = [second, first]
    assert check(history) == {"misordered": ["on the wire k0/1 (sequence 0) came after k0/2 (sequence 1)"]}


def test_a_sequence_that_goes_back_is_found_although_the_events_came_in_order(history: History) -> None:
    first, second = history.arrivals[:2]
    history.arrivals[:2] = [replace(first, sequence=1), replace(second, sequence=0)]
    assert set(check(history)) == {"misordered"}


def test_a_sequence_that_grows_although_the_events_did_not_come_in_order_is_found(history: History) -> None:
    first, second = history.arrivals[:2]
    history.arrivals[:2] = [replace(second, sequence=0), replace(first, sequence=1)]
    assert set(check(history)) == {"misordered"}


def test_a_copy_may_come_at_any_time_and_keys_in_any_order(history: History) -> None:
    history.arrivals = [*history.arrivals[2:], *history.arrivals[:2], *history.arrivals]
    assert check(history) == {}


def test_what_the_broker_nacked_may_come_later(history: History) -> None:
    history.arrivals[:2] = reversed(history.arrivals[:2])
    history.nacked = {"e1"}
    assert check(history) == {}


def test_a_log_that_tells_a_password_is_found(history: History) -> None:
    history.told = ["relay-1.000.log: connecting to amqp://guest:***@one"]
    assert check(history) == {"told": history.told}


def test_a_fault_that_never_happened_makes_a_run_vacuous(history: History) -> None:
    history.wanted = ("kill relay", "restart broker")
    assert check(history) == {"vacuous": ["restart broker never happened"]}


def test_a_run_of_too_few_events_is_vacuous(history: History) -> None:
    history.enough = 100
    assert check(history) == {"vacuous": ["4 events were committed, fewer than 100"]}


def test_a_run_in_which_nothing_happened_is_no_success() -> None:
    assert set(check(History(consumers=CONSUMERS, exactly_once=(), ordered=()))) == {"vacuous"}
