"""The bookstore's site, as its tests see it: its own addresses, a mail directory, and the events that were recorded."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from demo_project.bookstore.models import Author, Book
from demo_project.trail import receivers
from eventbridge.models import OutboxEntry


@pytest.fixture(autouse=True)
def site(settings: Any, tmp_path: Path) -> None:
    settings.ROOT_URLCONF = "demo_project.urls"
    settings.BOOKSTORE_DEMO = True
    settings.BOOKSTORE_MAIL = tmp_path / "mail"


@pytest.fixture
def author(db: None) -> Author:
    return Author.objects.create(full_name="Ursula K. Le Guin", short_name="Le Guin", email="ursula@example.org")


@pytest.fixture
def book(author: Author) -> Book:
    """A drafted book of the author; its own event is not in the outbox any more."""
    book = Book.objects.create(title="The Telling", slug="the-telling", author_id=author.pk)
    OutboxEntry.objects.all().delete()
    return book


@pytest.fixture
def recorded(db: None) -> Callable[[str], list[dict[str, Any]]]:
    """The payloads of the events of one type that are in the outbox: `recorded("book.published")`."""

    def payloads(event: str) -> list[dict[str, Any]]:
        rows = OutboxEntry.objects.filter(type=f"bookstore.{event}.v1").order_by("pk")
        return [msgspec.json.decode(row.body)["data"] for row in rows]

    return payloads


@pytest.fixture
def trail(db: None) -> Iterator[None]:
    """The trail is written, as it is in the bookstore's own processes."""
    receivers.connect()
    yield
    receivers.disconnect()
