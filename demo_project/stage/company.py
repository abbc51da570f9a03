"""Everybody in the story, started and ready: the site, the relay, the two services, the mail server, a browser."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .browser import Browser
from .mail_server import MailServer
from .place import fresh_database, fresh_directory
from .programs import MissingError, Program, Programs, wait_for
from .voice import paint, say

SERVICES = ("--settings", "consumers.settings")
LOGIN = ("--username", "demo", "--email", "demo@bookstore.example")


@dataclass
class Company:
    """The programs, and what is needed to play with them."""

    programs: Programs
    mail_server: MailServer
    site: Program
    relay: Program
    email: Program
    deletion: Program
    browser: Browser
    broker_is_shared: bool

    @property
    def trail(self) -> str:
        """Where to look, and how to get in."""
        address = paint("strong", f"{self.browser.site}admin/eventbridge/trailstep/")
        return f"{address} (log in as demo, password demo)"

    def way(self, event: str, subject: str) -> dict[str, Any] | None:
        """The newest event of that type about that subject, with the steps that it has made."""
        name = f"bookstore.{event}.v1"
        ways: list[dict[str, Any]] = self.browser.read("/events.json")["ways"]
        return next((way for way in ways if way["type"] == name and way["subject"] == subject), None)

    def until(self, event: str, subject: str, what: str, program: Program, seconds: float = 10) -> dict[str, Any]:
        """That way, as soon as it has that step. Raises MissingError, with the program whose work it is."""

        def found() -> dict[str, Any] | None:
            way = self.way(event, subject)
            return way if way and any(stop["what"] == what for stop in way["stops"]) else None

        return wait_for(f"{event} {subject} {what}", found, seconds, program)


@contextmanager
def company() -> Iterator[Company]:
    """Everybody, ready; at the end everybody is stopped, and MissingError raised if somebody did not stop in order."""
    with (
        fresh_directory() as state,
        fresh_database(os.environ.get("DATABASE_URL", "")) as database_url,
        _mail_server(state / "mail") as mail_server,
    ):
        broker_url = os.environ.get("BROKER_URL") or "database://"
        env = {"BOOKSTORE_STATE": str(state), "DATABASE_URL": database_url, "BROKER_URL": broker_url}
        programs = Programs(_logs(state), env)
        try:
            yield _start(programs, mail_server)
        except BaseException:
            programs.stop()
            raise
        if failed := programs.stop():
            raise MissingError(f"{failed[0].name} did not stop in order: exit code {failed[0].code}", failed[0])


@contextmanager
def _mail_server(directory: Path) -> Iterator[MailServer]:
    server = MailServer(directory)
    try:
        yield server
    finally:
        server.close()


def _logs(state: Path) -> Path:
    logs = state / "logs"
    logs.mkdir()
    return logs


def _start(programs: Programs, mail_server: MailServer) -> Company:
    """The consumers before the relay: an event that nobody wants yet would be set aside."""
    smtp = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mail_server.port)}
    programs.run("migrate", "migrate", "--verbosity", "0")
    programs.run("login", "createsuperuser", "--noinput", *LOGIN, DJANGO_SUPERUSER_PASSWORD="demo")  # noqa: S106
    site = programs.start("site", "serve", "--port", "0")
    email = programs.start("email", "eventbridge", "consume", "consumers.email", *SERVICES, **smtp)
    deletion = programs.start("deletion", "eventbridge", "consume", "consumers.deletion", *SERVICES)
    address = site.wait_for("is ready at").split()[-1]
    for service in (email, deletion):
        service.wait_for("is ready")
    relay = programs.start("relay", "eventbridge", "relay")
    relay.wait_for("is ready")
    shared = not programs.env["BROKER_URL"].startswith("database:")
    company = Company(programs, mail_server, site, relay, email, deletion, Browser(address), shared)
    _introduce(company, site, relay, email, deletion)
    return company


def _introduce(company: Company, *programs: Program) -> None:
    names = ", ".join(f"{program.name} ({program.pid})" for program in programs)
    say(f"  processes: {names}")
    say(f"  the site:  {paint('strong', company.browser.site)}")
    say(f"  the trail: {company.trail}")
    say("  times:     since the event was recorded in the transaction of its change")
