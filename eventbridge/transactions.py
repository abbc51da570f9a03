"""Transactions that are lost under their owner.

Where somebody catches a database error inside atomic(), or closes the connection, Django rolls back at
the end without a word: the block looks as if it had succeeded. Whoever must know asks here first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, connections, transaction

from eventbridge.errors import RolledBack

_FIRST_WORD = re.compile(r"(?:\s|/\*.*?\*/|--[^\n]*\n)*(\w*)", re.DOTALL)
_NO_WRITES = {"SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "SET", "SHOW", "EXPLAIN", "PRAGMA"}
_ADVICE = "put what may fail into a transaction.atomic() of its own, and leave the connection open"


class all_or_nothing:  # noqa: N801 - used as a function; a class because every save goes through it
    """What fails inside takes the transaction that is open there along, even where somebody catches the error.

    In ``atomic()`` Django rolls back at the end of the block. Where autocommit is off and no block has a
    savepoint to go back to, nobody would before the owner's ``commit()``: it is rolled back at once. Either
    way Django refuses further statements, until the block ends or the owner says ``rollback()``.
    """

    def __init__(self, using: str) -> None:
        self._using = using

    def __enter__(self) -> None:
        """There is nothing to prepare."""

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None:  # a task that is cancelled, too, may be caught
            _lose(connections[self._using], error)


class all_or_nothing_once_written:  # noqa: N801
    """As ``all_or_nothing``, for what fails after it has written something there: until then nothing is lost."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._wrote = False

    def __enter__(self) -> None:
        self._connection.execute_wrappers.append(self._note)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not self._wrote:
            self._connection.execute_wrappers.remove(self._note)
        elif error is not None:
            _lose(self._connection, error)

    def _note(self, execute: Callable[..., Any], statement: Any, *rest: Any) -> Any:
        if not self._wrote and _may_write(statement):
            self._wrote = True
            self._connection.execute_wrappers.remove(self._note)  # it knows all it has to know
        return execute(statement, *rest)


def _may_write(statement: Any) -> bool:
    """By its first word; what is no text, or begins otherwise, may."""
    found = _FIRST_WORD.match(statement) if isinstance(statement, str) else None
    return found is None or found[1].upper() not in _NO_WRITES


def _lose(connection: Any, error: BaseException) -> None:
    by_hand = _is_committed_by_hand(connection)
    if connection.in_atomic_block or by_hand:
        connection.needs_rollback = True
        connection.rollback_exc = error
    if by_hand and not any(connection.savepoint_ids):
        _roll_back(connection)


def _is_committed_by_hand(connection: Any) -> bool:
    """Whether autocommit is off, outside of every block: the owner calls commit()."""
    if connection.connection is None:
        return False
    # With autocommit off, Django's outermost block only pretends to begin a transaction, and does not commit.
    return not (connection.commit_on_exit if connection.in_atomic_block else connection.autocommit)


def _roll_back(connection: Any) -> None:
    """As ``connection.rollback()``, which Django forbids within a block."""
    connection.run_on_commit = []
    with suppress(DatabaseError), connection.wrap_database_errors:  # a link that is lost commits nothing either
        connection.connection.rollback()


@contextmanager
def autocommitting() -> Iterator[None]:
    """For commands and daemons: whatever ``DATABASES`` leave to somebody's ``commit()``, here nobody would call it.

    The threads that begin inside are included. Connections that are open already are left as they are.
    """
    off = [one for one in connections.all() if one.connection is None and not one.settings_dict["AUTOCOMMIT"]]
    for connection in off:
        connection.settings_dict["AUTOCOMMIT"] = True  # which all threads' connections share
    try:
        yield
    finally:
        for connection in off:
            connection.close()
            connection.settings_dict["AUTOCOMMIT"] = False


@contextmanager
def committing(using: str, after_all: Callable[[Exception], None]) -> Iterator[None]:
    """``atomic()`` whose ``on_commit`` hooks cannot make a failure of what is committed.

    Django lets a hook's exception out of the block, as if the work had failed; ``after_all`` gets it
    instead, and the hooks after that one have not run.
    """
    committed: list[bool] = []
    try:
        with transaction.atomic(using=using):
            transaction.on_commit(lambda: committed.append(True), using=using)
            yield
    except Exception as error:
        if not committed:
            raise
        after_all(error)


def must_be_intact(using: str, opened: Any, who: str) -> None:
    """Raise RolledBack if the transaction that is open there can no longer commit.

    ``opened`` is the driver's connection on which it began. Ask inside of the atomic block.
    """
    connection = connections[using]
    if connection.connection is not opened or connection.closed_in_transaction:
        raise RolledBack(f"{who} closed the database connection in its transaction: {_ADVICE}")
    if connection.needs_rollback or _is_aborted(connection):
        raise RolledBack(f"{who} caught a database error that rolls its transaction back: {_ADVICE}")


def must_not_have_ended(using: str, who: str) -> None:
    """Raise RolledBack if the transaction was ended by hand, by a COMMIT or ROLLBACK of its own."""
    raw = connections[using].connection
    if connections[using].vendor == "sqlite":
        ended = not raw.in_transaction
    else:
        ended = raw.info.transaction_status.name == "IDLE"
    if ended:
        raise RolledBack(f"{who} ended the transaction that it was called in: leave COMMIT and ROLLBACK to atomic()")


def _is_aborted(connection: Any) -> bool:
    """PostgreSQL answers COMMIT with ROLLBACK after an error, even one of a raw cursor."""
    if connection.vendor != "postgresql":
        return False
    return bool(connection.connection.info.transaction_status.name == "INERROR")
