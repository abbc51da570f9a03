"""A test's transaction never commits. What depends on a commit happens all the same."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction

from eventbridge.errors import RolledBack
from eventbridge.transactions import must_be_intact

logger = logging.getLogger("eventbridge")


@contextmanager
def as_in_autocommit(using: str) -> Iterator[None]:
    """What was done before an error stays done; but a database error in the test's transaction costs it."""
    opened, failed = connections[using].connection, None
    with transaction.atomic(using):
        try:
            yield
        except BaseException as error:
            failed = error
        if why := _broken(using, opened):
            raise failed or why
    if failed:
        raise failed


def _broken(using: str, opened: Any) -> RolledBack | None:
    try:
        must_be_intact(using, opened, "the handler, in the transaction of its test,")
    except RolledBack as why:
        return why
    return None


@contextmanager
def commits() -> Iterator[None]:
    """What handlers put off until they commit, in a transaction that never will, happens at the end of this block."""
    before = {each.alias: len(each.run_on_commit) for each in connections.all(initialized_only=True)}
    yield
    for connection in connections.all(initialized_only=True):
        start = before.get(connection.alias, 0)
        while len(connection.run_on_commit) > start:
            _, callback, robust = connection.run_on_commit.pop(start)  # type: ignore[misc]
            try:
                callback()
            except Exception:
                if not robust:
                    raise
                logger.exception("an on_commit callback failed")
