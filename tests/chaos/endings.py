"""Why processes ended. A daemon outlives every outage: it ends only where somebody made it end."""

from tests.chaos.history import Ending, History

SHUTDOWN, TIMEOUT = 6.0, 3.0
"""The daemons' SHUTDOWN_TIMEOUT and the consumers' timeout, in seconds."""
_CODES = {"exit": 9, "poison": 9, "kill": -9, "segfault": -11}
_OVERDUE = "ran longer than"  # what a daemon says that gives up for a handler's sake
_TOLERANCE = 1.0
_THAWING = 20.0  # how long after it began a freeze may be why a handler was late


def fell(history: History) -> list[str]:
    """Processes that ended, and nobody made them."""
    return [
        f"{ending.process} ended with {ending.code}: {_last_words(ending)}"
        for ending in history.endings
        if not cause(ending, history)
    ]


def cause(ending: Ending, history: History) -> str:
    """Who or what made it end: a misdeed, the driver, a handler past its timeout; empty: it fell over by itself."""
    misdeeds = [does for does, process in history.misdeeds if process == ending.process]
    fitting = [does for does in misdeeds if _CODES.get(does) == ending.code]
    return next(iter(fitting), "") or _drivers(ending, history) or _timeouts(ending, history)


def _drivers(ending: Ending, history: History) -> str:
    asked = [deed.at for deed in history.deeds if (deed.what, deed.process) == ("terminate", ending.process)]
    match ending.code:
        case -9 if _did(ending, history, "kill"):
            return "the driver's kill"
        case 1 if asked and ending.at - asked[0] >= SHUTDOWN - _TOLERANCE:
            return "the deadline"
        case 0 if asked:
            return "SIGTERM"
        case -15 if asked and (ending.process.startswith("producer") or not ending.output):
            return "SIGTERM"  # of a daemon: before it had begun
        case 143 if len(asked) > 1:
            return "a second SIGTERM"
    return ""


def _timeouts(ending: Ending, history: History) -> str:
    """A process that gives up says why, and there was such a handler."""
    late = any(
        (ending.at if run.over is None else run.over) - run.began >= TIMEOUT - _TOLERANCE
        for run in history.runs
        if run.process == ending.process
    )
    frozen = _did(ending, history, "freeze", within=_THAWING)
    return "a timeout" if ending.code == 70 and _OVERDUE in ending.output and (late or frozen) else ""


def _did(ending: Ending, history: History, what: str, within: float = float("inf")) -> bool:
    return any(
        (deed.what, deed.process) == (what, ending.process) and ending.at - deed.at <= within for deed in history.deeds
    )


def _last_words(ending: Ending) -> str:
    return "".join(f"\n      | {line}" for line in ending.output.splitlines()[-8:]) or "without a word"
