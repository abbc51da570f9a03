"""Outside of the demo: every page and every change asks for Django's own permissions."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import get_resolver, reverse

from demo_project.bookstore.models import Author, Book
from tests.shop.models import User

OPEN = {"home"}
CHANGES = {
    "author-create": "add_author",
    "author-edit": "change_author",
    "author-delete": "delete_author",
    "book-create": "add_book",
    "book-edit": "change_book",
    "book-publish": "change_book",
    "book-delete": "delete_book",
}
LOOKS = {"author-list": "view_author", "book-list": "view_book", "book": "view_book", "event-json": "view_deadletter"}
FORMS: dict[str, dict[str, Any]] = {
    "author-create": {"full_name": "New", "short_name": "N", "email": ""},
    "author-edit": {"full_name": "Changed", "short_name": "C", "email": ""},
    "book-create": {"title": "New", "slug": "new", "content": "x"},
    "book-edit": {"title": "Changed", "slug": "changed", "content": "x"},
}


@pytest.fixture(autouse=True)
def in_production(site: None, settings: Any) -> None:
    settings.BOOKSTORE_DEMO = False


@pytest.fixture
def log_in(client: Any) -> Any:
    """Logs in somebody who has these permissions, and no others."""

    def log_in(*codenames: str) -> Any:
        user = User.objects.create_user("staff@shop.example", "p", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user)
        return client

    return log_in


def address(name: str, author: Author, book: Book) -> str:
    if name in ("author-list", "book-list", "event-json") or name.endswith("-create"):
        return reverse(name)
    return reverse(name, args=[author.pk if name.startswith("author") else book.pk])


def everything() -> list[Any]:
    return [*Author.objects.order_by("pk").values(), *Book.objects.order_by("pk").values()]


def test_every_page_of_the_site_is_closed_to_strangers(client, author, book):
    arguments = {"pk": 1, "name": "a"}
    bookstore = next(entry for entry in get_resolver().url_patterns if not str(entry.pattern))
    for pattern in bookstore.url_patterns:
        path = reverse(pattern.name, kwargs={name: arguments[name] for name in pattern.pattern.converters})
        for ask in (client.get, client.post):
            answer = ask(path)
            closed = answer.status_code in (404, 405) or answer.headers.get("Location", "").startswith(
                "/admin/login/?next=/"
            )
            assert closed or (pattern.name in OPEN and answer.status_code == 200), (pattern.name, answer)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_needs_its_own_right(log_in, author, book, name):
    path, before = address(name, author, book), everything()
    others = {*CHANGES.values(), *LOOKS.values()} - {CHANGES[name]}
    client = log_in(*others)
    assert client.post(path, FORMS.get(name, {})).status_code == 403
    assert client.get(path).status_code in (403, 405)
    assert everything() == before


@pytest.mark.parametrize("name", CHANGES)
def test_whoever_has_the_right_may(log_in, author, book, name):
    path, before = address(name, author, book), everything()
    assert log_in(CHANGES[name]).post(path, FORMS.get(name, {})).status_code == 302
    assert everything() != before


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_needs_its_own_right(log_in, author, book, name):
    client = log_in(*{*CHANGES.values(), *LOOKS.values()} - {LOOKS[name]})
    path = address(name, author, book)
    assert client.get(path).status_code == 403
    client.logout()
    User.objects.all().delete()
    assert log_in(LOOKS[name]).get(path).status_code == 200


def test_publishing_from_the_admin_needs_the_right_to_change_a_book(log_in, book):
    client = log_in("view_book", "delete_book")
    assert 'value="publish"' not in client.get("/admin/bookstore/book/").content.decode()
    client.post("/admin/bookstore/book/", {"action": "publish", "_selected_action": [book.pk]})
    book.refresh_from_db()
    assert not book.is_published


def test_in_the_demo_everybody_may(client, author, book, settings):
    settings.BOOKSTORE_DEMO = True
    assert client.post(address("author-delete", author, book)).status_code == 302
    assert not Author.objects.exists()
