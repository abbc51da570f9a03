"""The bookstore's site, as its tests see it: its own addresses, a mail directory, an author and a book."""

from pathlib import Path
from typing import Any

import pytest

from demo_project.bookstore.models import Author, Book
from eventbridge.testing import forget_events


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
    """A drafted book of the author; that it was saved is forgotten."""
    book = Book.objects.create(title="The Telling", slug="the-telling", author_id=author.pk)
    forget_events()
    return book
