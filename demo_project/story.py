"""`make demo`: the bookstore's story, played over HTTP against separate processes.

BROKER_URL (database:// unless given) and DATABASE_URL (a SQLite file unless given) choose where. Everything is fresh:
a directory of its own, in PostgreSQL a schema of its own, both removed at the end. On RabbitMQ the queues
`bookstore.email` and `bookstore.deletion` are used. Exit code 0, or 1 with what was missing.
"""

import os
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from demo_project.stage.browser import BrowserError  # noqa: E402
from demo_project.stage.company import Company, company  # noqa: E402
from demo_project.stage.programs import MissingError  # noqa: E402
from demo_project.stage.scenes import Scenes  # noqa: E402
from demo_project.stage.voice import paint, say  # noqa: E402


def main() -> int:
    """Play; on a terminal leave the site up until Ctrl-C. Returns the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    began = time.monotonic()
    say(paint("strong", f"The bookstore's story, on {place('DATABASE_URL')} and {place('BROKER_URL')}"))
    try:
        with company() as everybody:
            Scenes(everybody).play()
            say(f"\n{paint('good', 'Everything happened as told')}, in {time.monotonic() - began:.0f} s.")
            stay_up(everybody)
    except (MissingError, BrowserError) as error:
        return complain(error)
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130
    say("Every process has stopped in order.")
    return 0


def stay_up(everybody: Company) -> None:
    """On a terminal: until Ctrl-C, or until a program ends."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    say(f"The site stays up at {paint('strong', everybody.browser.site)}. Ctrl-C stops everything.")
    say(f"What each event did: {everybody.trail}")
    try:
        while all(program.is_running() for program in everybody.programs.running):
            time.sleep(0.5)
    except KeyboardInterrupt:
        say()


def place(name: str) -> str:
    """What a URL in the environment stands for, without its password."""
    url = urlsplit(os.environ.get(name) or "")
    defaults = {"DATABASE_URL": "SQLite", "BROKER_URL": "the embedded broker"}
    where = f"{url.hostname}:{url.port}" if url.port else url.hostname
    names = {"amqp": "RabbitMQ", "amqps": "RabbitMQ", "postgres": "PostgreSQL", "postgresql": "PostgreSQL"}
    return f"{names[url.scheme]} at {where}" if url.scheme in names else defaults[name]


def complain(error: Exception) -> int:
    """Say what is missing, and show the end of the log that tells why."""
    say(f"\n{paint('bad', '✗ missing:')} {error}")
    if isinstance(error, MissingError) and error.log:
        say(f"  the end of the log of {error.source}:")
        for line in error.log:
            say(paint("quiet", f"  | {line}"))
    return 1


if __name__ == "__main__":
    sys.exit(main())
