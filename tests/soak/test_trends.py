"""What grows is found, and what only moves is not."""

import os
from pathlib import Path

import pytest

from tests.soak.report import problems, table
from tests.soak.run import Findings
from tests.soak.sampling import held_by
from tests.soak.trends import MIB, trend

HOUR = 3600.0
NAMES = ("soak.steady", "soak.batch", "soak.outside", "soak.failing")


def points(begin: float, an_hour: float, noise: float = 0.0) -> list[tuple[float, float]]:
    """Half an hour, a look every five seconds."""
    return [(at, begin + at / HOUR * an_hour + (noise if at % 10 else -noise)) for at in range(0, 1800, 5)]


def findings(**changes: object) -> Findings:
    """A soak in which all was well."""
    found = Findings(30, ["RabbitMQ", "PostgreSQL"], committed=100, dead=1)
    found.effects = {**dict.fromkeys(NAMES, 100), "soak.failing": 99}
    found.repeated = dict.fromkeys(NAMES, 0)
    for what, figure in {"memory": 60 * MIB, "files": 9, "threads": 7, "database": 3}.items():
        found.series["relay", what] = points(figure, 0)
    for what in ("connections", "channels"):
        found.series["relay", what] = points(1, 0)
    found.series["tables", "eventbridge_outbox"] = points(4 * MIB, 0, noise=3 * MIB)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_a_soak_in_which_nothing_grows_has_no_problems():
    assert problems(findings()) == []
    assert "Flat: nothing grows" in table(findings())


@pytest.mark.parametrize(
    ("what", "grows"),
    [("memory", points(60 * MIB, 12 * MIB)), ("files", points(9, 30)), ("threads", points(7, 30)),
     ("database", points(3, 8)), ("connections", points(1, 8)), ("channels", points(1, 8))],
)  # fmt: skip
def test_what_grows_slowly_is_found(what: str, grows: list[tuple[float, float]]):
    found = findings()
    found.series["relay", what] = grows
    [problem] = problems(found)
    assert problem.startswith(f"{what} of relay grows: ")


def test_a_table_that_grows_is_found():
    found = findings()
    found.series["tables", "eventbridge_outbox"] = points(4 * MIB, 60 * MIB)
    assert [problem.split(":")[0] for problem in problems(found)] == ["eventbridge_outbox of tables grows"]


def test_what_moves_up_and_down_is_flat():
    found = findings()
    found.series["relay", "memory"] = points(60 * MIB, 0, noise=5 * MIB)
    assert problems(found) == []


def test_what_is_taken_while_everything_begins_does_not_count():
    warming = [(at, min(at, 60.0)) for at in range(0, 1800, 5)]
    assert (trend(warming).first, trend(warming).last) == (60, 60)


def test_what_was_lost_or_done_twice_is_found():
    found = findings(effects={**dict.fromkeys(NAMES, 100), "soak.failing": 98}, repeated=dict.fromkeys(NAMES, 0))
    assert problems(found) == ["soak.failing settled 99 of 100 events"]
    found = findings(repeated={**dict.fromkeys(NAMES, 0), "soak.steady": 1})
    assert "soak.steady took effect 1 times more than once" in problems(found)


def test_a_process_that_ended_is_found():
    assert problems(findings(ended=["relay ended with 70"])) == ["relay ended with 70"]


def test_a_log_that_tells_a_password_is_found():
    assert problems(findings(told=["relay.log: amqp://guest:***@one"])) == [
        "a password was told in relay.log: amqp://guest:***@one"
    ]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
def test_what_this_process_holds_is_seen(tmp_path: Path):
    before = held_by(os.getpid())
    with (tmp_path / "one").open("w"), (tmp_path / "two").open("w"):
        assert held_by(os.getpid())["files"] == before["files"] + 2
    assert before["memory"] > MIB
    assert before["threads"] >= 1
