"""Preflight: what must be right before a command begins. An outage is not wrong: daemons wait for its end."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from django.conf import settings as django_settings
from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError, connections

from eventbridge import models
from eventbridge.conf import settings
from eventbridge.consumer import Consumer, consumers_in
from eventbridge.logs import JsonFormatter
from eventbridge.models.sql import SUPPORTED
from eventbridge.transports import transport
from eventbridge.wording import plain

EXIT_UNREACHABLE = 2


def need_database(alias: str) -> None:
    """Raise CommandError, saying what to do, unless that database can hold, and holds, our tables.

    Nothing is raised while it cannot be reached.
    """
    if alias not in connections.settings:
        known = ", ".join(connections.settings)
        raise CommandError(f"There is no database {alias!r} in DATABASES. There are: {known}.")
    vendor = connections[alias].vendor
    if vendor not in SUPPORTED:
        raise CommandError(f"Database {alias!r} is {vendor}; eventbridge works on PostgreSQL and SQLite.")
    try:
        absent = missing_tables(alias)
    except (OperationalError, InterfaceError):
        return
    if absent:
        option = "" if alias == "default" else f" --database {alias}"
        raise CommandError(
            f"Database {alias!r} has no table {absent[0]}: run manage.py migrate{option} "
            "('eventbridge' must be in INSTALLED_APPS, and DATABASE_ROUTERS must allow it there)."
        )


def missing_tables(alias: str) -> list[str]:
    """Those of our tables that are not there. Raises what the database raises when it is away."""
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            there = set(connection.introspection.table_names(cursor))
    except (OperationalError, InterfaceError):
        connection.close()
        raise
    ours = [getattr(models, name)._meta.db_table for name in models.__all__]
    return [table for table in ours if table not in there]


def need_broker() -> None:
    """Raise CommandError unless BROKER_URL is one that can be used. Nobody is connected to."""
    try:
        transport(settings.BROKER_URL)
    except (ValueError, ImportError) as error:
        raise CommandError(f"EVENTBRIDGE['BROKER_URL']: {error}.") from error


def consumers_of(modules: Iterable[str]) -> list[Consumer]:
    """The consumers that these modules define. Raises CommandError where one cannot be used."""
    try:
        return consumers_in(_dotted(name) for name in modules)
    except LookupError as error:
        raise CommandError(f"{error}.") from error


@contextmanager
def only(modules: Sequence[str]) -> Iterator[None]:
    """While it lasts, EVENTBRIDGE['CONSUMERS'] are these: the system checks look at them, and at no others."""
    given = getattr(django_settings, "EVENTBRIDGE", {})
    if not isinstance(given, dict):
        yield  # and the checks say so
        return
    django_settings.EVENTBRIDGE = {**given, "CONSUMERS": list(modules)}
    try:
        yield
    finally:
        django_settings.EVENTBRIDGE = given


def _dotted(name: str) -> str:
    if name.startswith(".") or "/" in name or name.endswith(".py"):
        suggestion = name.removeprefix("./").removesuffix(".py").strip("/.").replace("/", ".")
        raise LookupError(f"{name!r} is a file; name the module: {suggestion}")
    return name


class _Plain(logging.Formatter):
    """What came in a message cannot steer the terminal through the log either."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record), keep="\n\t")


def show_log(verbosity: int, form: str) -> None:
    """Send eventbridge's log to stderr, unless the project says where it goes; as JSON, if that is the form."""
    logger = logging.getLogger("eventbridge")
    if not logger.hasHandlers():
        stderr = logging.StreamHandler(sys.stderr)
        stderr.setFormatter(_Plain("%(asctime)s %(levelname)-8s %(message)s"))
        logger.addHandler(stderr)
        if logger.level == logging.NOTSET:
            quietest = {0: logging.WARNING, 1: logging.INFO}
            logger.setLevel(quietest.get(verbosity, logging.DEBUG))
    if form == "json":
        for handler in _handlers(logger):
            handler.setFormatter(JsonFormatter())


def _handlers(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    """Those that its records reach."""
    while logger:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None
