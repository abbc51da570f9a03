"""``python -m tests.fuzz``: one run. Exit code 0: all is accounted for; 1: something is not; 2: it could not be run.

With FUZZ_BROKER_URL or FUZZ_DATABASE_URL set that server is used, otherwise one is started for the run.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit, urlunsplit

import django
import psycopg
from django.core.management import call_command
from psycopg.sql import SQL, Identifier

from tests.fuzz.generator import make
from tests.fuzz.report import figures, table
from tests.fuzz.run import run
from tests.services.hosts import NotAvailable
from tests.services.postgresql import postgresql
from tests.services.rabbitmq import rabbitmq
from tests.services.secrecy import SECRECY


def main() -> int:
    options = _options()
    seed = options.seed or str(random.randrange(1_000_000))
    if options.only is not None:
        return _show(seed, options.only)
    signal.signal(signal.SIGTERM, _interrupt)
    name = f"eventbridge-fuzz-{options.broker}-{seed}"
    folder = (options.output / name).resolve()
    _say(f"make fuzz MESSAGES={options.messages} SEED={seed} BROKER={options.broker}")
    try:
        return _run(options, seed, folder)
    except NotAvailable as reason:
        _say(f"There is no server for it: {reason}")
        return 2


def _run(options: argparse.Namespace, seed: str, folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        _servers(options, folder, stack)
        os.environ.update(DJANGO_SETTINGS_MODULE="tests.fuzz.settings", FUZZ_FOLDER=str(folder))
        django.setup()
        call_command("migrate", run_syncdb=True, verbosity=0)
        report = run(seed, options.messages, folder)
    path = folder.with_name(f"{folder.name}.json")
    path.write_text(json.dumps(figures(report), indent=2) + "\n")
    _say(table(report), f"  {path}")
    if report.problems:
        _say(f"  what the process said: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _servers(options: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
    if options.broker == "amqp" and "FUZZ_BROKER_URL" not in os.environ:
        broker = rabbitmq()
        stack.callback(broker.close)
        os.environ["FUZZ_BROKER_URL"] = stack.enter_context(broker.vhost()).url
        _say(f"  {broker.name} {broker.version}")
    if "FUZZ_DATABASE_URL" not in os.environ:
        postgres = options.broker == "amqp"
        os.environ["FUZZ_DATABASE_URL"] = _postgresql(stack) if postgres else f"sqlite:///{folder}/fuzz.sqlite3"
    SECRECY.keep_those_of(os.environ.get("FUZZ_BROKER_URL", ""), os.environ["FUZZ_DATABASE_URL"])


def _postgresql(stack: ExitStack) -> str:
    server = postgresql()
    stack.callback(server.close)
    _say(f"  {server.name} {server.version}")
    name = f"fuzz_{os.getpid()}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return urlunsplit(urlsplit(server.url)._replace(path=f"/{name}"))


def _show(seed: str, n: int) -> int:
    """One message, for whoever looks into what became of it."""
    sent = make(seed, n)
    _say(f"{sent.exchange!r} {sent.key!r} to {', '.join(sent.consumers)}: {' '.join(sent.recipes) or 'sound'}")
    _say(f"{sent.properties!r:.2000}", f"{sent.shown!r:.2000}", f"{len(sent.body):,} bytes", f"{sent.body!r:.2000}")
    return 0


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End in order, once: no process is left behind."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=sys.modules["tests.fuzz"].__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", default="", help="the same seed, the same messages (default: a new one)")
    parser.add_argument("--broker", choices=("amqp", "database"), default="amqp",
                        help="amqp comes with PostgreSQL, the embedded broker with SQLite")  # fmt: skip
    parser.add_argument("--only", type=int, metavar="N", help="print message N of the seed, and end")
    parser.add_argument("--output", type=Path, default=Path(tempfile.gettempdir()), help="where to leave the results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
