"""relay and consume: the two daemons."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError
from django.db import OperationalError

from eventbridge.assembly import Pruning, consume_daemon, gauges_of, make_relay, relay_daemon
from eventbridge.cli.arguments import PROGRAM, Commands, add_database, command, option_of
from eventbridge.cli.console import Console
from eventbridge.cli.preflight import consumers_of, need_broker, need_database, show_log
from eventbridge.conf import settings
from eventbridge.daemon import EXIT_FAILED, EXIT_UNFINISHED
from eventbridge.drain import Drain
from eventbridge.models import Hold, OutboxEntry
from eventbridge.relay import Relay
from eventbridge.server import place_of
from eventbridge.wording import count

_EXITS = {
    0: "stopped as asked, everything finished",
    1: "wrong use; stopped with --drain before all was done; or SHUTDOWN_TIMEOUT passed",
    2: "wrong options",
    70: "something in it failed: start it again",
    130: "a second Ctrl-C: ended at once",
}


def add_to(commands: Commands[Any]) -> None:
    _add_relay(commands)
    _add_consume(commands)


def _add_relay(commands: Commands[Any]) -> None:
    parser = command(
        commands,
        "relay",
        run_relay,
        "publish what is in the outbox, until told to stop",
        about="""
            Run one for each database that has an outbox; more of them stand by. While the broker
            or the database is away it waits, and goes on by itself. SIGTERM ends it in order.
        """,
        examples=("relay", "relay --database archive", "relay --drain"),
        exits={**_EXITS, 2: "wrong options; --once: another relay is active, or something is away"},
        checks=True,
    )
    add_database(parser)
    _add_watching(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="relay one batch, then end")
    how.add_argument("--drain", action="store_true", help="end as soon as the outbox is empty (but for parked events)")


def _add_consume(commands: Commands[Any]) -> None:
    parser = command(
        commands,
        "consume",
        run_consumers,
        "hand events to the consumers' handlers, until told to stop",
        about="""
            One process may run several consumers, and several processes the same one. While the
            broker or the database is away it waits, and goes on by itself. SIGTERM ends it in order.
        """,
        examples=("consume consumers.email", "consume consumers.email consumers.deletion", "consume --drain"),
        exits=_EXITS,
        checks=True,
    )
    parser.add_argument(
        "modules",
        nargs="*",
        metavar="MODULE",
        help="a module that defines a Consumer, such as consumers.email (default: EVENTBRIDGE['CONSUMERS'])",
    )
    _add_watching(parser)
    parser.add_argument("--drain", action="store_true", help="handle what is there, but for retries to come, then end")


def _add_watching(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--health-address",
        type=_place,
        metavar="HOST:PORT",
        help="where to serve /livez, /readyz, /statusz and /metrics; '' for nowhere (default: HEALTH_ADDRESS)",
    )
    form = "text, as LOGGING says, or json: an object a line (default: LOG_FORMAT)"
    parser.add_argument("--log-format", choices=("text", "json"), metavar="FORMAT", help=form)


def _place(text: str) -> str:
    """An address, as argparse's ``type``."""
    try:
        place_of(text or "127.0.0.1:0")
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def run_relay(console: Console, options: Namespace) -> int:
    _prepare(options, {options.database})
    if settings.AUTO_DECLARE:
        consumers_of(settings.CONSUMERS)
    if options.once or options.drain:
        _must_not_be_paused(options.database)
        return _relay_here(console, options)
    daemon = relay_daemon(options.database, options.health_address)
    return _end(daemon.run(gauges_of(daemon)))


def run_consumers(console: Console, options: Namespace) -> int:
    modules = options.modules or settings.CONSUMERS
    if not modules:
        raise CommandError(
            "There are no consumers to run: name their modules, as in eventbridge consume consumers.email, "
            "or list them in EVENTBRIDGE['CONSUMERS']."
        )
    consumers = consumers_of(modules)
    _prepare(options, {consumer.database for consumer in consumers})
    pruning = Pruning(consumer.database for consumer in consumers)
    drain = Drain() if options.drain else None
    daemon = consume_daemon(consumers, options.health_address, drain)
    code = _end(daemon.run([pruning, *gauges_of(daemon)]))
    return _tell(console, drain) if drain else code


def _tell(console: Console, drain: Drain) -> int:
    """What it did; 1 if it was stopped before it had done it all."""
    handled, retried, died = drain.counted.values()
    console.say(f"Handled {count(handled, 'event')}.")
    if retried:
        console.warn(f"{count(retried, 'attempt')} failed. Retries that come later are for the next time.")
    if died:
        console.warn(f"{count(died, 'new dead letter')}: see eventbridge dead list.")
    if not drain.finished:
        console.warn("Stopped.")
    return 0 if drain.finished else 1


def _end(code: int) -> int:
    """End a process at once in which something still hangs.

    Python's way out closes every database connection, and sqlite3 waits there for a thread that is
    in the middle of a statement: for as long as SQLite's lock is held by what hangs.
    """
    if code in (EXIT_UNFINISHED, EXIT_FAILED):
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _prepare(options: Namespace, databases: set[str]) -> None:
    show_log(options.verbosity, options.log_format or settings.LOG_FORMAT)
    need_broker()
    for alias in sorted(databases | _of_the_broker()):
        need_database(alias)


def _of_the_broker() -> set[str]:
    """The database that the embedded broker lives in."""
    url = urlsplit(settings.BROKER_URL)
    return {url.netloc or "default"} if url.scheme == "database" else set()


# --- relay, for a while --------------------------------------------------------------------------


def _must_not_be_paused(database: str) -> None:
    if why := Hold.objects.using(database).why("relay", database):
        again = f"{PROGRAM} resume relay{option_of(database)}"
        raise CommandError(f"The relay of database {database!r} is paused: {why}. To have it go on: {again}")


def _relay_here(console: Console, options: Namespace) -> int:
    """In this thread, on this database connection; so scripts and tests can use it too."""
    relay = make_relay(options.database)
    try:
        with _stopped_by_signals() as stopping:
            drained = _once(relay) if options.once else _drain(relay, stopping)
    finally:
        relay.close(2.0)
    console.say(f"Relayed {count(relay.relayed, 'event')}.")
    if drained:
        return 0
    console.warn(f"The relay of {options.database} is {relay.state}: its log says why." if options.once else "Stopped.")
    return 2 if options.once else 1


def _once(relay: Relay) -> bool:
    relay.poll()
    return relay.state == "ready"


def _drain(relay: Relay, stopping: threading.Event) -> bool:
    """Until nothing is left to relay, by us or by the relay that is active. False: stopped before."""
    while not stopping.is_set():
        pause = relay.poll()
        if relay.idle or (relay.state == "standby" and _empty(relay.database)):
            return True
        stopping.wait(min(pause, 1.0))
    return False


def _empty(database: str) -> bool:
    try:
        return not OutboxEntry.objects.using(database).filter(parked_at=None).exists()
    except OperationalError:
        return False


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set. A second one ends the process as it always does."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, frame: object) -> None:
        stopping.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, stop)
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
