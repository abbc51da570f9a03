"""One run: fill the queues, let one process drain them, stop it, account for every message."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz import witness
from tests.fuzz.checker import Due, Effect, Letter, Outcome, check, key_of
from tests.fuzz.client import Client, Exchange, Rows, has_odd_headers
from tests.fuzz.contracts import AT_LEAST_ONCE, CONSUMERS
from tests.fuzz.drafts import Sent
from tests.fuzz.fields import ABOUT
from tests.fuzz.generator import make
from tests.fuzz.process import Consuming

REASONS = ("malformed", "unhandled", "failed", "rejected")
_STALLED = 30.0  # seconds without progress after which nothing more is expected
_LARGE = 64 * 1024  # a header that RabbitMQ's frames have no room for beside ours is dropped
_BROKERS_OWN = ("x-", "eventbridge-attempt")


@dataclass
class Report:
    """A run and what came of it."""

    seed: str
    messages: int
    outcome: Outcome
    seconds: float
    memory: dict[str, int] = field(default_factory=dict)
    recipes: Counter[str] = field(default_factory=Counter)

    @property
    def problems(self) -> dict[str, list[str]]:
        return check(self.outcome)


def run(seed: str, messages: int, folder: Path) -> Report:
    """Do it all. The environment says on which broker and database."""
    report = Report(seed, messages, Outcome(wanted=_wanted(messages), at_least_once=AT_LEAST_ONCE), 0.0)
    consuming = Consuming(folder)
    client: Client = Exchange(url) if (url := os.environ.get("FUZZ_BROKER_URL")) else Rows()
    try:
        consuming.start()
        began = time.monotonic()
        report.memory["before"] = consuming.memory
        client.send(_noted(report))
        report.memory["all sent"] = consuming.memory
        _drain(consuming)
        report.seconds = time.monotonic() - began
        report.memory["after"], report.memory["at most"] = consuming.memory, consuming.peak
        report.outcome.exit_code = consuming.stop()
        _collect(report.outcome, consuming)
    finally:
        client.close()
        consuming.close()
    return report


def _wanted(messages: int) -> list[str]:
    """What so many messages must have brought about."""
    each = [f"{what} of {name}" for name in CONSUMERS for what in ("an effect", "a dead letter")]
    return [*REASONS, "duplicate", *each] if messages >= 400 else []


def _noted(report: Report) -> Iterator[Sent]:
    """The messages, each written down before it is sent."""
    for n in range(report.messages):
        sent = make(report.seed, n)
        report.recipes.update(sent.recipes or ["sound"])
        report.outcome.due.extend(_due(sent))
        if n % 10_000 == 0 and n:
            say(f"{n:,} sent")
        yield sent


def _due(sent: Sent) -> Iterator[Due]:
    headers = None
    if os.environ.get("FUZZ_BROKER_URL") or not has_odd_headers(sent):
        headers = {
            witness.clean(name, 255): _as_shown(value) for name, value in sent.shown.items() if _shows(name, value)
        }
    for consumer in sent.consumers:
        key = key_of(consumer, sent.body, sent.shown)
        yield Due(sent.n, consumer, sent.digest, key, sent.wholesome, headers)


def _as_shown(value: Any) -> Any:
    if isinstance(value, str):
        return witness.clean(value, 20_000)
    return ... if value is ABOUT else value


def _shows(name: str, value: Any) -> bool:
    too_large = isinstance(value, str) and len(value) > _LARGE and "FUZZ_BROKER_URL" in os.environ
    return _ours(name) and not too_large


def _ours(name: str) -> bool:
    return not name.startswith(_BROKERS_OWN)


def _drain(consuming: Consuming) -> None:
    """Wait until the queues are empty, and what was taken from them is settled; or until nothing more happens."""
    moved, before = time.monotonic(), None
    while time.monotonic() - moved < _STALLED and consuming.keep_running():
        now = consuming.left(), consuming.progress
        if not any(now[0].values()) and now == before:
            return
        if now != before:
            moved = time.monotonic()
        before = now
        time.sleep(1.0)
    say(f"stalled: {before}")


def _collect(outcome: Outcome, consuming: Consuming) -> None:
    from eventbridge.models import DeadLetter
    from tests.fuzz.models import Effect as Row

    outcome.effects = [Effect(*row) for row in Row.objects.values_list("consumer", "source", "event_id", "digest")]
    outcome.letters = [_letter(letter) for letter in DeadLetter.objects.iterator(500)]
    outcome.burials = Counter((consumer, digest) for consumer, digest in witness.notes("deaths"))
    outcome.duplicates = Counter((c, source, event) for c, source, event in witness.notes("duplicates"))
    outcome.left = consuming.left()
    outcome.restarts = consuming.restarts
    outcome.said, outcome.told = consuming.trouble(), consuming.told()


def _letter(letter: Any) -> Letter:
    headers = {name: value for name, value in letter.headers.items() if _ours(name)}
    return Letter(letter.consumer, witness.digest(bytes(letter.body), letter.headers), letter.reason, headers)


def say(what: str) -> None:
    sys.stderr.write(f"  {what}\n")
    sys.stderr.flush()
