"""The tally: what follows from successes, failures and nothing at all."""

import pytest

from eventbridge import tally
from eventbridge.tally import Tally


@pytest.fixture
def clock(monkeypatch):
    """``clock(5)``: five seconds pass."""
    now = [1000.0]
    monkeypatch.setattr(tally.time, "monotonic", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return passes


def fail(it, event=1, after=None, error=None, redact=()):
    it.failed(("/shop", event), error or OSError("451 disk full"), after, redact)


def test_failures_are_counted_since_the_last_success(clock):
    it = Tally()
    it.handled()
    clock(10)
    fail(it, 1)
    clock(20)
    fail(it, 2), fail(it, 2)
    told = it.trouble(waiting=False)
    assert (told["failing"], told["events"], told["failing_for"], told["fruitless"]) == (3, 2, 20, 30)
    assert told["error"] == "OSError: 451 disk full"
    it.handled()
    told = it.trouble(waiting=False)
    assert (told["failing"], told["events"], told["error"], told["fruitless"]) == (0, 0, "", 0)
    assert it.counted == {"handled": 2, "failed": 3}


def test_a_streak_is_over_when_no_retry_is_to_come_and_nothing_fails_for_five_minutes(clock):
    it = Tally()
    fail(it, after=3600)
    fail(it, after=5)
    clock(3890)
    assert it.trouble(waiting=False)["failing"] == 2
    clock(20)
    assert it.trouble(waiting=False)["failing"] == 0
    fail(it)
    assert (it.trouble(waiting=False)["failing"], it.trouble(waiting=False)["failing_for"]) == (1, 0)


def test_nothing_that_a_redacted_consumers_exception_says_is_told_and_no_line_is_long_or_broken():
    it = Tally()
    fail(it, error=ValueError("ann@shop.example"), redact=("email",))
    assert it.trouble(waiting=False)["error"] == "ValueError(redacted)"
    fail(it, error=ValueError("a\n\x00\ud800" + "b" * 1000))
    assert it.trouble(waiting=False)["error"].startswith(r"ValueError: a \x00\ud800bbb")
    assert len(it.trouble(waiting=False)["error"]) == 200


def test_it_is_stalled_while_something_waits_and_no_attempt_ends(clock):
    it = Tally()
    clock(500)
    assert it.trouble(waiting=False)["stalled"] == 0, "nothing waits"
    clock(7)
    assert it.trouble(waiting=True)["stalled"] == 7
    clock(8)
    assert it.trouble(waiting=True)["stalled"] == 15
    fail(it)
    clock(2)
    assert it.trouble(waiting=True)["stalled"] == 2
    it.handled()
    assert it.trouble(waiting=True)["stalled"] == 0
