"""``python -m tests.soak``: one soak. Exit code 0: flat; 1: something grows, or was lost; 2: it could not be run."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tests.services.hosts import NotAvailable


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    folder = (options.output / "eventbridge-soak").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    from tests.soak.run import soak

    try:
        findings = soak(folder, options.minutes, options.rate)
    except NotAvailable as reason:
        sys.stdout.write(f"There is no server to work with: {reason}\n")
        return 2
    from tests.soak.report import problems, table, write

    write(findings, folder.with_suffix(".json"))
    sys.stdout.write(f"{table(findings)}\n\n  {folder.with_suffix('.json')}\n")
    if problems(findings):
        sys.stdout.write(f"  what every process said: {folder}\n")
        return 1
    shutil.rmtree(folder)
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End in order, once: no process is left behind."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=sys.modules["tests.soak"].__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long (default: 30)")
    parser.add_argument("--rate", type=float, default=100, help="events a second (default: 100)")
    parser.add_argument("--output", type=Path, default=Path(tempfile.gettempdir()), help="where to leave the results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
