"""What handlers do wrong: decided by the seed, once or always."""

import ctypes
import os
import random
import resource
import signal
import time

from eventbridge import Event, Reject
from tests.chaos.contracts import Happened
from tests.chaos.notes import note, once

CONSUMERS = ("chaos.atomic", "chaos.batch", "chaos.ordered", "chaos.outside")
ONCE = ("raise", "hang", "exit", "kill", "segfault")
ALWAYS = ("poison", "fail", "reject")
UNWANTED = "unwanted"  # no handler's misdeed: nobody handles it
ALL = (*ALWAYS, UNWANTED, *ONCE)
_EARLY = 3  # every subject's event of that number misbehaves, so that no run is without
_OFTEN = {"raise": 0.01, "hang": 0.0004, "exit": 0.0006, "kill": 0.0006, "segfault": 0.0006}
_PROBABILITIES = {**_OFTEN, "poison": 0.0004, UNWANTED: 0.002, "fail": 0.002, "reject": 0.002}


def misdeed(seed: str, key: str, n: int) -> tuple[str, str]:
    """What happens over the ``n``-th event of ``key``, and in which consumer. A pure function."""
    chance = random.Random(f"{seed}/{key}/{n}")
    to = chance.choice(CONSUMERS)
    if n == _EARLY:
        return _directed(ALL[int(key.removeprefix("k")) % len(ALL)], to)
    luck = chance.random()
    for does, probability in _PROBABILITIES.items():
        if luck < probability:
            return _directed(does, to)
        luck -= probability
    return "", ""


def _directed(does: str, to: str) -> tuple[str, str]:
    return does, "" if does == UNWANTED else to


def misbehave(event: Event[Happened], consumer: str) -> None:
    """Do what the event says, if it says so to this consumer."""
    does = event.data.does
    if not does or event.data.to != consumer or (does in ONCE and not once(f"{consumer} {event.id}")):
        return
    note("misdeeds", f"{does} {os.environ['CHAOS_PROCESS']}")
    match does:
        case "raise" | "fail":
            raise ValueError("as it was told")
        case "reject":
            raise Reject("as it was told")
        case "hang":
            time.sleep(3600)
        case "exit" | "poison":
            os._exit(9)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            ctypes.string_at(0)
