"""``python -m tests.chaos``: one chaos run. Exit code 0: every promise held; 1: one did not; 2: it could not be run."""

import argparse
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tests.chaos.plan import plan
from tests.chaos.report import Result, table, write
from tests.chaos.run import Wish, run
from tests.services.hosts import NotAvailable


def main() -> int:
    options = _options()
    database = options.database or ("postgresql" if options.broker == "amqp" else "sqlite")
    seed = options.seed or str(random.randrange(1_000_000))
    name = f"eventbridge-chaos-{options.broker}-{database}-{seed}"
    wish = Wish(seed, options.minutes, options.broker, database, (options.output / name).resolve())
    if options.plan:
        _say(*map(str, plan(wish.seed, wish.seconds, wish.broker, wish.database)))
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    _say(wish.replay, "")
    try:
        result = run(wish)
    except NotAvailable as reason:
        _say(f"There is no server to torment: {reason}")
        return 2
    return _tell(result, wish.folder)


def _tell(result: Result, folder: Path) -> int:
    path = folder.with_name(f"{folder.name}.json")
    write(result, path)
    _say("", table(result), "", f"  {path}")
    if result.problems:
        _say(f"  what every process said: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End in order, once: no process is left behind."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=sys.modules["tests.chaos"].__doc__)
    parser.add_argument("--minutes", type=float, default=2.5, help="how long there are faults (default: 2.5)")
    parser.add_argument("--seed", default="", help="the same seed, the same faults (default: a new one)")
    parser.add_argument("--broker", choices=("amqp", "database"), default="amqp")
    parser.add_argument("--database", choices=("postgresql", "sqlite", ""), default="",
                        help="default: postgresql, and sqlite with the embedded broker")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path(tempfile.gettempdir()), help="where to leave the results")
    parser.add_argument("--plan", action="store_true", help="print what would be done when, and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
