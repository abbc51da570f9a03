"""A drain that slows down, anywhere, and a table that stays large are found."""

import pytest

from tests.growth.verdict import Growth, problems, ratios

FAST = [1000.0] * 20


@pytest.fixture
def growth() -> Growth:
    """All was well."""
    windows = {"small": [1000.0] * 3, "large": list(FAST), "snapshot": FAST[:8], "small again": [1000.0] * 3}
    return Growth(windows, filled=700, peak=720, settled=90)


def test_a_drain_at_one_rate_that_leaves_little_behind_has_no_problems(growth: Growth) -> None:
    assert problems(growth) == []


@pytest.mark.parametrize("name", ["large", "snapshot"])
def test_a_drain_that_is_slow_in_its_middle_and_recovers_is_found(growth: Growth, name: str) -> None:
    count = len(growth.windows[name])
    growth.windows[name][1 : count - 3] = [600.0] * (count - 4)
    [problem] = problems(growth)
    assert problem.startswith(f"{name}: the whole drained at 0.")


def test_a_drain_that_ends_slowly_is_found(growth: Growth) -> None:
    growth.windows["large"][-3:] = [500.0] * 3
    assert problems(growth) == ["large: the end drained at 0.50 of a small backlog's rate"]


def test_one_slow_window_is_told_and_is_no_failure(growth: Growth) -> None:
    growth.windows["large"][4] = 300.0
    assert problems(growth) == []
    assert ratios(growth.windows["large"], 1000.0)["worst"] == 0.3


def test_a_whole_drain_is_as_fast_as_its_time_says_and_not_as_its_windows_are_on_average() -> None:
    assert ratios([1000.0, 250.0], 1000.0)["whole"] == pytest.approx(0.4)


def test_a_table_that_grows_while_it_drains_or_stays_large_when_it_is_empty_is_found(growth: Growth) -> None:
    growth.peak, growth.settled = 800, 400
    assert [problem.split(":")[0] for problem in problems(growth)] == [
        "the outbox of 700 bytes grew to 800",
        "the outbox of 700 bytes kept 400",
    ]


def test_sizes_that_were_never_looked_at_are_found() -> None:
    windows = {"small": FAST, "large": FAST, "snapshot": FAST, "small again": FAST}
    assert len(problems(Growth(windows))) == 2
