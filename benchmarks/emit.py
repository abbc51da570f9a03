"""What an event costs whoever saves: the request."""

from __future__ import annotations

from benchmarks.bench import Bench, Ratio, Rig
from benchmarks.world import World

_TOGETHER = 100
_MANY = 1000


def bench(world: World, size: int = 500) -> Bench:
    """``size`` saves a round, for each rig."""

    def ours(name: str, command: str, **arguments: object) -> Rig:
        measure = lambda: world.child("eventbridge", "eventbridge")(command, **arguments)  # noqa: E731
        return Rig(name, measure, "µs")

    def peer(project: str, module: str, name: str, command: str, **arguments: object) -> Rig:
        measure = lambda: world.child(project, module)(command, **arguments)  # noqa: E731
        return Rig(name, measure, "µs", peer=project)

    singly = {"transactions": size, "each": 1}
    together = {"transactions": max(size // _TOGETHER, 1), "each": _TOGETHER}
    rigs = [
        ours("plain save", "plain", **singly),
        ours("bridged save", "bridged", **singly),
        ours("plain save, autocommit", "autocommit", model="plain", saves=size),
        ours("bridged save, autocommit", "autocommit", model="bridged", saves=size),
        ours("plain save, 100 a transaction", "plain", **together),
        ours("bridged save, 100 a transaction", "bridged", **together),
        ours("emit, 1,000 a transaction", "single_emits", events=_MANY),
        ours("emit_many of 1,000", "emit_together", events=_MANY),
    ]
    peers = {
        "django-outbox-pattern": ("django-outbox-pattern", "outbox_pattern", "saved"),
        "django-celery-outbox": ("django-celery-outbox", "celery_outbox", "saved"),
        "Celery delay_on_commit": ("celery", "celery", "saved"),
        "Celery delay_on_commit, confirms": ("celery", "celery", "saved_confirmed"),
    }
    for name, (project, module, command) in peers.items():
        rigs.append(peer(project, module, name, command, **singly))
        rigs.append(peer(project, module, f"{name}, 100 a transaction", command, **together))
    return Bench("emit", "What an event costs whoever saves, on PostgreSQL.", rigs, _ratios(list(peers)), rounds=9)


def _ratios(peers: list[str]) -> list[Ratio]:
    found = [
        Ratio("bridged save : plain save", "bridged save", ["plain save"], at_most=1.4),
        Ratio(
            "bridged save : plain save, 100 a transaction",
            "bridged save, 100 a transaction", ["plain save, 100 a transaction"], at_most=2,
        ),
        Ratio("emit_many of 1,000 : as many emits", "emit_many of 1,000", ["emit, 1,000 a transaction"], at_most=0.25),
        Ratio("bridged save : plain save, autocommit", "bridged save, autocommit", ["plain save, autocommit"]),
    ]  # fmt: skip
    for peer in peers:
        found += [
            Ratio(f"{peer}{many} : plain save{many}", f"{peer}{many}", [f"plain save{many}"])
            for many in ("", ", 100 a transaction")
        ]
    return found
