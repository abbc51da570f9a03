"""What the benches make of their figures."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import plot
from benchmarks.bench import Bench, Ratio, Rig, Skipped, run
from benchmarks.pace import Stalled, pace
from benchmarks.report import table, write


def _bench(*rigs: Rig, ratios: tuple[Ratio, ...] = ()) -> Bench:
    return Bench("snails", "How far they get.", rigs, ratios)


def test_a_ratio_is_taken_round_by_round_against_the_fastest_of_the_others() -> None:
    ratio = Ratio("ours : theirs", "ours", ["slow", "fast"], at_least=2)
    assert ratio.values({"ours": [10, 40], "slow": [1, 2], "fast": [5, 10]}) == [2, 4]
    assert ratio.is_met(2)
    assert not ratio.is_met(1.9)


def test_a_ratio_without_the_other_side_says_nothing() -> None:
    assert Ratio("ours : theirs", "ours", ["theirs"]).values({"ours": [1, 2]}) == []


def test_every_other_round_is_in_the_opposite_order() -> None:
    came = []
    rigs = [Rig(name, lambda name=name: came.append(name) or 1.0, "/s") for name in "abc"]
    run(_bench(*rigs), 2, print)
    assert came == list("abccba")


def test_what_cannot_be_measured_is_left_out_with_the_reason_and_the_others_go_on() -> None:
    def skip() -> float:
        raise Skipped("not installed")

    def fail() -> float:
        raise ValueError("no")

    rigs = Rig("peer", skip, "/s"), Rig("broken", fail, "/s"), Rig("ours", lambda: 2.0, "/s")
    outcome = run(_bench(*rigs), 3, print)
    assert outcome.values == {"ours": [2.0, 2.0, 2.0]}
    assert outcome.skipped == {"peer": "not installed", "broken": "failed: ValueError: no"}


def test_table_and_file_say_what_was_measured_and_whether_a_goal_was_met(tmp_path: Path) -> None:
    ratios = (
        Ratio("ours : theirs", "ours", ["theirs"], at_least=3),
        Ratio("theirs : ours", "theirs", ["ours"], at_most=0.2),
    )
    figures = {"ours": iter([9.0, 7.0, 8.0]), "theirs": iter([2.0, 2.0, 2.0])}
    rigs = [Rig(name, lambda found=found: next(found), "/s") for name, found in figures.items()]
    outcome = run(_bench(*rigs, ratios=ratios), 3, print)
    write(tmp_path / "bench.json", {"machine": "a small one"}, [outcome])
    bench = json.loads((tmp_path / "bench.json").read_text())["benches"]["snails"]
    assert bench["figures"]["ours"] == {"unit": "/s", "median": 8.0, "rounds": [9.0, 7.0, 8.0]}
    assert [(ratio["median"], ratio["met"]) for ratio in bench["ratios"].values()] == [(4.0, True), (0.25, False)]
    told = table({"machine": "a small one"}, [outcome])
    assert ">= 3  met" in told
    assert "<= 0.2  NOT MET" in told


def test_a_pace_is_taken_once_a_tenth_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 6.0, 7.0])  # five seconds to start, then fifty a second
    done = iter([10, 60, 100])
    monkeypatch.setattr("benchmarks.pace.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("benchmarks.pace.time.sleep", float)
    assert pace(lambda: next(done), 100) == pytest.approx(45)


def test_who_has_died_is_not_waited_for() -> None:
    with pytest.raises(Stalled, match="0 of 10"):
        pace(lambda: 0, 10, alive=lambda: False)


def test_an_interrupt_leaves_what_was_measured_until_then() -> None:
    def interrupted() -> float:
        raise KeyboardInterrupt

    outcome = run(_bench(Rig("ours", lambda: 2.0, "/s"), Rig("slow", interrupted, "/s")), 3, print)
    assert outcome.values == {"ours": [2.0]}
    assert not outcome.finished
    assert "interrupted" in table({}, [outcome])


def test_what_grows_with_what_is_drawn_as_bars_of_the_medians(tmp_path: Path) -> None:
    names = ["backlog of 1,000", "backlog of 10,000", "one relay", "one relay and a standby", "1 consumer process"]
    figures = {name: {"median": 10.0 * n, "rounds": [8.0 * n, 12.0 * n]} for n, name in enumerate(names, 1)}
    source = tmp_path / "bench.json"
    source.write_text(json.dumps({"benches": {"growth": {"figures": figures}}}))
    plot.main(source, tmp_path)
    drawn = ET.parse(tmp_path / "performance-backlog.svg")  # noqa: S314 - it is our own
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["Events a second: backlog", "backlog of 1,000", "10", "backlog of 10,000", "20"]
    bars = [float(bar.get("width", 0)) for bar in drawn.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert bars[1] == pytest.approx(2 * bars[0], rel=0.01)
    assert (tmp_path / "performance-consumers.svg").exists()
