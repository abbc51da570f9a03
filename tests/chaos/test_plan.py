"""The plan is the seed's alone, and leaves nothing out."""

import pytest

from tests.chaos.misdeeds import ALL, misdeed
from tests.chaos.plan import kinds, plan

WORLDS = [("amqp", "postgresql"), ("amqp", "sqlite"), ("database", "postgresql"), ("database", "sqlite")]


@pytest.mark.parametrize(("broker", "database"), WORLDS)
def test_the_same_seed_is_the_same_plan_and_another_one_is_another(broker: str, database: str) -> None:
    again = [plan(seed, 120, broker, database) for seed in ("7", "7", "8")]
    assert again[0] == again[1] != again[2]


@pytest.mark.parametrize("seconds", [120, 1800])
@pytest.mark.parametrize(("broker", "database"), WORLDS)
def test_every_kind_of_fault_is_in_a_plan_of_two_minutes(broker: str, database: str, seconds: float) -> None:
    schedule = plan("7", seconds, broker, database)
    assert {fault.kind for fault in schedule} == set(kinds(broker, database))
    assert [fault.at for fault in schedule] == sorted(fault.at for fault in schedule)


def test_a_server_that_is_not_ours_is_neither_stopped_nor_frozen() -> None:
    targets = {fault.target for fault in plan("7", 120, "amqp", "postgresql", ours=False)}
    assert "broker link" in targets
    assert not targets & {"broker", "database"}


def test_every_misdeed_happens_early_and_most_events_are_harmless() -> None:
    early = [misdeed("7", f"k{key}", 3)[0] for key in range(len(ALL))]
    assert sorted(early) == sorted(ALL)
    later = [misdeed("7", "k0", n)[0] for n in range(4, 10_004)]
    assert 9_700 < later.count("") < 9_900
    assert set(later) == {"", *ALL}
