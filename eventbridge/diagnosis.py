"""Diagnosis: what in a report is wrong, the worst first, and the command that helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS, router

from eventbridge import capture
from eventbridge.models import OutboxEntry
from eventbridge.status import Outbox, Process, Report
from eventbridge.topology import LOST
from eventbridge.troubles import trouble_of
from eventbridge.wording import age, count

LAGGING = 60.0
"""Seconds that the oldest pending event may be old."""
ATTENTION, STOPPED = 1, 2
"""How bad it is: parked, dead, lagging or failing; or it does not run."""
_COMMAND = "manage.py eventbridge"
DOCTOR = f"{_COMMAND} doctor"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and the command that helps or tells more, if there is one."""

    severity: int
    what: str
    command: str = ""


def diagnose(report: Report) -> list[Problem]:
    """Everything that is wrong; empty if all is well."""
    judges = [_judge_settings, _judge_reach]
    if report.outboxes:
        judges += [_judge_outboxes, _judge_consumers, _judge_queues, _judge_lost, _judge_dead_letters]
    problems = [problem for judge in judges for problem in judge(report)]
    return sorted(problems, key=lambda problem: -problem.severity)


def _judge_settings(report: Report) -> Iterator[Problem]:
    for text in report.wrong:
        yield Problem(STOPPED, text, "manage.py check")


def _judge_reach(report: Report) -> Iterator[Problem]:
    for database, why in report.unreachable.items():
        yield Problem(STOPPED, f"Database {database} cannot be reached: {why.strip()}")
    for module, why in report.unusable.items():
        yield Problem(STOPPED, f"EVENTBRIDGE['CONSUMERS'] names {module}, which cannot be used: {why}")
    if not report.outboxes and not report.unreachable:
        yield Problem(STOPPED, "No database has eventbridge's tables.", "manage.py migrate")
        return
    for database in report.unmigrated:
        # What is emitted there fails. Perhaps nothing ever is; then a router should say so.
        severity = STOPPED if database == router.db_for_write(OutboxEntry) else ATTENTION
        text = f"Database {database} has no tables of eventbridge, and DATABASE_ROUTERS allow them there."
        yield Problem(severity, text, f"manage.py migrate{_option(database)}")


def _judge_outboxes(report: Report) -> Iterator[Problem]:
    main = router.db_for_write(OutboxEntry)
    for outbox in report.outboxes:
        option = _option(outbox.database)
        relays = report.of("relay", outbox.database)
        waiting = f": {_waiting(outbox)}" if outbox.pending else ""
        # A database where nothing is ever emitted needs no relay.
        if outbox.pending or relays or (outbox.database == main and capture.bridges):
            start, resume = f"relay{option}", f"resume relay{option}"
            what = f"relay of database {outbox.database}"
            yield from _judge_daemon(what, relays, f"{_COMMAND} {start}", resume, waiting)
        if outbox.oldest is not None and outbox.oldest > LAGGING and any(relay.alive for relay in relays):
            text = f"The relay of database {outbox.database} lags: {_waiting(outbox)}."
            yield Problem(ATTENTION, text, f"{_COMMAND} outbox list --pending{option}")
        if outbox.parked:
            yield Problem(ATTENTION, _parked(outbox), f"{_COMMAND} outbox list --parked{option}")


def _judge_consumers(report: Report) -> Iterator[Problem]:
    known = {process.name: None for process in report.processes if process.role == "consumer"}
    known |= {consumer.name: None for consumer in report.expected}
    unknown = {consumer.name for consumer in report.expected if consumer.database in report.unreachable}
    for name in known:
        if name not in unknown:
            start, resume = _start(report, name), f"resume {name}"
            yield from _judge_daemon(f"consumer {name}", report.of("consumer", name), start, resume)
        if trouble := trouble_of(report, name):
            yield Problem(ATTENTION, trouble.what, trouble.command)


def _judge_daemon(
    what: str, processes: Sequence[Process], start: str, resume: str, waiting: str = ""
) -> Iterator[Problem]:
    alive = [process for process in processes if process.alive]
    if not alive:
        yield _gone(what, processes, start, waiting)
        return
    why = next((str(process.figures["why"]) for process in alive if process.figures.get("why")), "its log says why")
    if all(process.state == "waiting" for process in alive):
        yield Problem(STOPPED, f"The {what} waits{waiting}: {why}", DOCTOR)
    elif all(process.state == "paused" for process in alive):
        yield Problem(ATTENTION, f"The {what} is paused{waiting}: {why}", f"{_COMMAND} {resume}")


def _gone(what: str, processes: Sequence[Process], start: str, waiting: str) -> Problem:
    """None of them has been heard of lately. To start another one helps only if none is there."""
    last = min((process.seen for process in processes), default=None)
    mute = ", ".join(process.process for process in processes if process.mute)
    if mute and last is not None:
        text = f"The {what} runs ({mute}), but has not written its heartbeat for {age(last)}{waiting}: its database"
        return Problem(STOPPED, f"{text} takes no writes (on SQLite: somebody holds its lock), or it hangs.", DOCTOR)
    since = f" (last seen {age(last)} ago)" if last is not None else ""
    return Problem(STOPPED, f"No {what} is running{since}{waiting}.", start)


def _judge_queues(report: Report) -> Iterator[Problem]:
    known = {process.name for process in report.processes} | {consumer.name for consumer in report.expected}
    for queue in report.queues:
        if queue.depth and queue.name not in known:
            text = f"Queue {queue.name} holds {count(queue.depth, 'event')}, and no consumer of that name runs."
            yield Problem(STOPPED, text, _start(report, queue.name))


def _judge_lost(report: Report) -> Iterator[Problem]:
    """All consumers see the same queue."""
    if lost := max((process.figures.get("lost") or 0 for process in report.processes if process.alive), default=0):
        text = f"The queue {LOST} holds {count(lost, 'event')}: retries whose own queue was gone."
        yield Problem(ATTENTION, text, DOCTOR)


def _judge_dead_letters(report: Report) -> Iterator[Problem]:
    for dead in report.dead_letters:
        if dead.marked and not any(p.alive or p.mute for p in report.of("consumer", dead.consumer)):
            letters, wait = count(dead.marked, "dead letter"), "waits" if dead.marked == 1 else "wait"
            text = f"{letters} of {dead.consumer} {wait} for replay, and no process of {dead.consumer} is running."
            yield Problem(STOPPED, text, _start(report, dead.consumer))
        if resting := dead.count - dead.marked - dead.in_hand:
            text = f"{count(resting, 'dead letter')} of {dead.consumer}."
            command = f"{_COMMAND} dead list --consumer {dead.consumer}{_option(dead.database)}"
            yield Problem(ATTENTION, text, command)


def _start(report: Report, consumer: str) -> str:
    """The command that starts a consumer, as far as is known what defines it: by CONSUMERS, or its last process."""
    modules = [expected.module for expected in report.expected if expected.name == consumer]
    modules += [str(p.figures["module"]) for p in report.of("consumer", consumer) if p.figures.get("module")]
    return f"{_COMMAND} consume {modules[0] if modules else 'MODULE, with the module that defines it'}"


def _parked(outbox: Outbox) -> str:
    events, them = count(outbox.parked, "event"), "it" if outbox.parked == 1 else "them"
    return (
        f"{events} parked in database {outbox.database}: the broker did not take {them}. Mend the reason "
        "(start the consumer, or topology --apply, if there is no queue), then outbox retry."
    )


def _waiting(outbox: Outbox) -> str:
    oldest = age(outbox.oldest or 0)
    return f"{count(outbox.pending, 'event waits', 'events wait')}, the oldest for {oldest}"


def _option(database: str) -> str:
    return "" if database == DEFAULT_DB_ALIAS else f" --database {database}"
