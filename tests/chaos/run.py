"""One run: build the world, let it work, break it, heal it, let it drain, stop it, judge it."""

import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import evidence, misdeeds, witness
from tests.chaos.checker import lost
from tests.chaos.faults import Faults
from tests.chaos.history import History
from tests.chaos.notes import notes
from tests.chaos.plan import DAEMONS, PRODUCERS, Fault, kinds, plan
from tests.chaos.report import Result
from tests.chaos.supervisor import Supervisor
from tests.chaos.world import World, world
from tests.services.secrecy import SECRECY

_WARM_UP = 30.0
_STALLED = 60.0  # seconds without progress after which nothing more is expected
_AFTERWARDS = 3.0  # for what comes twice
_LONG = 2.0  # minutes from which on everything must have happened at least once
_EVENTS_A_SECOND = 3


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    seed: str
    minutes: float
    broker: str
    database: str
    folder: Path

    @property
    def seconds(self) -> float:
        return self.minutes * 60

    @property
    def replay(self) -> str:
        options = f"MINUTES={self.minutes:g} SEED={self.seed} BROKER={self.broker} DATABASE={self.database}"
        return f"make chaos {options}"

    @property
    def env(self) -> dict[str, str]:
        """What the programs need to know of it."""
        return {
            "CHAOS_SEED": self.seed,
            "CHAOS_KEYS": "24" if self.minutes >= _LONG else "8",
            "CHAOS_PAUSE": "0.2",
        }


def run(wish: Wish) -> Result:
    """Do it all. What the processes said is in ``wish.folder``."""
    shutil.rmtree(wish.folder, ignore_errors=True)
    wish.folder.mkdir(parents=True)
    with world(wish.folder, wish.broker, wish.database, wish.env) as made:
        supervisor = Supervisor(made.env, wish.folder)
        faults = Faults(made, supervisor)
        try:
            witness.listen()
            supervisor.start()
            _wait_until_it_works()
            _torment(plan(wish.seed, wish.seconds, wish.broker, wish.database, ours=made.ours), wish.seconds, faults)
            return _judge(wish, made, supervisor, faults)
        finally:
            supervisor.close()


def _wait_until_it_works() -> None:
    """Until every consumer has done something; what does not even begin is for the checker to find."""
    until = time.monotonic() + _WARM_UP
    while time.monotonic() < until:
        if evidence.busy() == set(misdeeds.CONSUMERS):
            return
        time.sleep(0.5)


def _torment(schedule: list[Fault], seconds: float, faults: Faults) -> None:
    began = time.monotonic()
    for fault in schedule:
        time.sleep(max(0.0, began + fault.at - time.monotonic()))
        _say(f"{fault}")
        faults.begin(fault)
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    faults.wait()


def _judge(wish: Wish, made: World, supervisor: Supervisor, faults: Faults) -> Result:
    _say("healing")
    made.heal()
    supervisor.let_go(PRODUCERS)
    drained = _drain(made)
    time.sleep(_AFTERWARDS)
    exits = supervisor.let_go(list(DAEMONS))
    history = evidence.history(made)
    history.arrivals = witness.arrivals(made)
    history.exits, history.told = exits, SECRECY.told_in(wish.folder)
    history.endings, history.deeds = supervisor.endings, supervisor.deeds
    unwanted = [event.does for event in history.committed if event.does == misdeeds.UNWANTED]
    history.fired = faults.fired + Counter(does for does, _ in history.misdeeds) + Counter(unwanted)
    history.enough = int(wish.seconds * _EVENTS_A_SECOND)
    if wish.minutes >= _LONG:
        history.wanted = [*kinds(wish.broker, wish.database, ours=made.ours), *misdeeds.ALL]
    return _result(wish, made, supervisor, faults, history, drained)


def _drain(made: World) -> float:
    """Wait until everything has arrived, or until nothing more seems to come; the seconds it took."""
    began = moved = time.monotonic()
    least: float = float("inf")
    while time.monotonic() - moved < _STALLED:
        so_far = evidence.history(made)
        away, left = len(lost(so_far)), {place: count for place, count in so_far.left.items() if count}
        if not away and not left:
            break
        if away + sum(left.values()) < least:
            least, moved = away + sum(left.values()), time.monotonic()
            _say(f"draining: {away} effects to come; {', '.join(f'{place} {n}' for place, n in left.items())}")
        time.sleep(2.0)
    return time.monotonic() - began


def _result(
    wish: Wish, made: World, supervisor: Supervisor, faults: Faults, history: History, drained: float
) -> Result:
    return Result(
        seed=wish.seed,
        broker=wish.broker,
        database=wish.database,
        minutes=wish.minutes,
        servers=made.names,
        history=history,
        replay=wish.replay,
        seconds_to_drain=drained,
        transactions=Counter(notes("outcomes")),
        restarts=sum(supervisor.restarts.values()),
        absorbed=_said(wish.folder, "handled before"),
        trouble=faults.failed,
    )


def _said(folder: Path, words: str) -> int:
    """How often the processes' logs say so."""
    return sum(log.read_text(errors="replace").count(words) for log in folder.glob("*.log"))


def _say(what: str) -> None:
    sys.stderr.write(f"  {what}\n")
