"""A test's transaction never commits. What depends on a commit happens all the same."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction

from eventbridge.errors import RolledBack
from eventbridge.transactions import must_be_intact

logger = logging.getLogger("eventbridge")


@contextmanager
def as_in_autocommit(using: str) -> Iterator[None]:
    """What was done before an error stays done; but a database error in the test's transaction costs it."""
    opened = connections[using].connection
    point = transaction.savepoint(using)
    who = "the handler, in the transaction of its test,"
    try:
        yield
        must_be_intact(using, opened, who)
    except BaseException:
        try:
            must_be_intact(using, opened, who)
        except RolledBack:
            transaction.set_rollback(False, using)
            transaction.savepoint_rollback(point, using)
        raise
    transaction.savepoint_commit(point, using)


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
