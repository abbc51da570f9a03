"""Where the story is played: a fresh directory, and a fresh database that is gone afterwards."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from .programs import MissingError


@contextmanager
def fresh_directory() -> Iterator[Path]:
    """A directory of its own, removed at the end: the SQLite file, the mail and the logs."""
    with TemporaryDirectory(prefix="bookstore-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


@contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """A `DATABASE_URL` whose tables nobody else uses.

    Without a URL that is a SQLite file in the directory. In a PostgreSQL database it is a schema of our own, which
    needs no more than the right to create one; the tables that are there already are neither read nor touched.
    """
    if not url:
        yield ""
        return
    if not url.startswith(("postgres://", "postgresql://")):
        raise MissingError("DATABASE_URL must begin with postgres:// (without it, a SQLite file is used)")
    schema = f"bookstore_demo_{secrets.token_hex(4)}"
    _execute(url, f"CREATE SCHEMA {schema}")
    try:
        yield f"{url}{'&' if '?' in url else '?'}options={quote(f'-csearch_path={schema}')}"
    finally:
        _execute(url, f"DROP SCHEMA {schema} CASCADE")


def _execute(url: str, statement: str) -> None:
    import psycopg

    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement.encode())
    except psycopg.Error as error:
        raise MissingError(f"PostgreSQL: {statement}: {error}") from error
