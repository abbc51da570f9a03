"""What an event costs whoever saves: the request."""

from __future__ import annotations

from benchmarks.bench import Bench, Ratio, Rig
from benchmarks.world import World

_TOGETHER, _MANY = 100, 1000
_PLAIN, _EVENT, _TASK = "plain save", "save with its event", "save with its task"
_PROJECTS = {
    "eventbridge": ("eventbridge", {_EVENT: ""}),
    "django-outbox-pattern": ("outbox_pattern", {_EVENT: ""}),
    "django-celery-outbox": ("celery_outbox", {_TASK: ""}),
    "celery": ("celery", {_TASK: " (delay_on_commit)", "with confirms": " (delay_on_commit, confirms)"}),
}
"""Each project's program, and what it compares with a plain save."""
_GOALS = {1: 1.4, _TOGETHER: 2.0}


def bench(world: World, size: int = 500) -> Bench:
    """``size`` saves of each kind a round, one a transaction; and as many by the hundred."""

    def rig(project: str, each: int) -> Rig:
        program, how = _PROJECTS[project][0], {"transactions": max(size // each, 3), "each": each}
        peer = "" if project == "eventbridge" else project
        return Rig(_name(project, each), lambda: world.child(project, program)("saves", **how), "µs", peer)

    def emits() -> dict[str, float]:
        found: dict[str, float] = world.child("eventbridge", "eventbridge")("emits", transactions=5, events=_MANY)
        return found

    rigs = [rig(project, each) for each in _GOALS for project in _PROJECTS]
    rigs.append(Rig("1,000 a transaction", emits, "µs"))
    about = "What an event costs whoever saves, on PostgreSQL: medians of transactions that take turns in one process."
    return Bench("emit", about, rigs, _ratios(), {"body": "about 500 bytes", "fsync": "on"}, rounds=9)


def _name(project: str, each: int) -> str:
    return f"{project}, {each} a transaction"


def _ratios() -> list[Ratio]:
    found = [
        Ratio(
            f"{project}{words}: save with it : without, {each} a transaction",
            f"{_name(project, each)}, {what}",
            [f"{_name(project, each)}, {_PLAIN}"],
            at_most=goal if project == "eventbridge" else None,
        )
        for each, goal in _GOALS.items()
        for project, (_, compared) in _PROJECTS.items()
        for what, words in compared.items()
    ]
    many, single = (f"1,000 a transaction, {how}" for how in ("emit_many", "emit"))
    return [*found, Ratio("emit_many of 1,000 : as many emits", many, [single], at_most=0.25)]
