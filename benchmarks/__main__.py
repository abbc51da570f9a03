"""``python -m benchmarks``: run the benches, print one table, write one JSON file."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from benchmarks import consumer, emit, growth, latency, memory, relay, waking
from benchmarks.bench import run
from benchmarks.machine import machine
from benchmarks.report import table, write
from benchmarks.venvs import PEERS, versions_in
from benchmarks.world import World

_MODULES = (emit, relay, consumer, latency, waking, memory, growth)
BENCHES = {module.__name__.rpartition(".")[2]: module.bench for module in _MODULES}
SMALL = {"emit": 20, "relay": 500, "consumer": 200, "latency": 20, "waking": 40, "memory": 500, "growth": 1000}


def main() -> int:
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell ignores the first for what it runs in the background
        signal.signal(number, signal.default_int_handler)
    world = World(options.output.with_suffix(""), options.peers)
    outcomes, load = [], f"{os.getloadavg()[0]:.2f}"
    try:
        for name in options.only:
            size = options.size or (SMALL[name] if options.small else None)
            bench = BENCHES[name](world, **({"size": size} if size else {}))
            outcomes.append(run(bench, options.rounds or bench.rounds, _say))
            facts = {**machine(world), "load": f"{load} before, {os.getloadavg()[0]:.2f} after", **_peers(world)}
            write(options.output, facts, outcomes)
            if not outcomes[-1].finished:
                break
    finally:
        world.close()
    sys.stdout.write(f"{table(facts, outcomes)}\n\n{options.output}\n")
    return 0 if outcomes[-1].finished else 130


def _peers(world: World) -> dict[str, dict[str, str]]:
    """The versions in every environment that was used."""
    used = {project for project, _ in world.programs if project in PEERS}
    return {project: versions_in(project) for project in sorted(used)}


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=sys.modules["__main__"].__doc__)
    parser.add_argument("--only", type=_benches, default=list(BENCHES), help="these, with commas between; default: all")
    parser.add_argument("--peers", type=_named, default=set(PEERS), help="none, all, or names with commas between")
    parser.add_argument("--rounds", type=int, help="default: at least five, as each bench needs")
    parser.add_argument("--size", type=int, help="how much there is to do in a round; default: as each bench says")
    parser.add_argument("--small", action="store_true", help="only see whether it runs: the figures mean nothing")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    return parser.parse_args()


def _benches(names: str) -> list[str]:
    found = [name for name in names.split(",") if name]
    if unknown := set(found) - set(BENCHES):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(BENCHES)}")
    return found or list(BENCHES)


def _named(names: str) -> set[str]:
    if names in ("", "all", "none"):
        return set() if names == "none" else set(PEERS)
    if unknown := set(names.split(",")) - set(PEERS):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(PEERS)}")
    return set(names.split(","))


if __name__ == "__main__":
    sys.exit(main())
