"""The pages, as a browser uses them."""

import pytest
from django.test import Client
from django.urls import reverse

from demo_project.bookstore.contracts import AuthorDeleted, BookDeleted, BookPublished
from demo_project.bookstore.models import Author, Book
from eventbridge.testing import assert_not_published, assert_published_once, captured_events

LEM = {"full_name": "Stanisław Lem", "short_name": "Lem", "email": "lem@example.org"}


def page(response):
    return response.content.decode()


@pytest.mark.parametrize("name", ["home", "author-list", "author-create", "book-list", "book-create", "mail-list"])
def test_pages_of_an_empty_bookstore_can_be_seen(client, db, name):
    assert client.get(reverse(name)).status_code == 200


def test_lists_that_are_empty_say_what_to_do(client, db):
    assert "Add the first one" in page(client.get("/authors/"))
    assert "Add the first one" in page(client.get("/books/"))
    assert "Publish a book" in page(client.get("/mail/"))


def test_an_author_who_is_written_appears_in_the_list(client, db):
    response = client.post("/authors/new/", LEM, follow=True)

    assert response.redirect_chain == [("/authors/", 302)]
    assert "Stanisław Lem is saved." in page(response)
    assert Author.objects.get().email == "lem@example.org"


def test_an_author_may_have_no_email_address(client, db):
    client.post("/authors/new/", {**LEM, "email": ""})

    assert Author.objects.get().email == ""


def test_an_invalid_address_gets_a_message_beside_its_field_and_nothing_typed_is_lost(client, db):
    response = client.post("/authors/new/", {**LEM, "email": "nowhere"})

    assert response.context["form"].errors == {"email": ["Enter a valid email address."]}
    assert 'id="id_email_error"' in page(response)
    assert 'value="nowhere"' in page(response)
    assert 'value="Stanisław Lem"' in page(response)
    assert not Author.objects.exists()


def test_an_author_can_be_changed(client, author):
    client.post(f"/authors/{author.pk}/", {**LEM, "short_name": "L."})

    author.refresh_from_db()
    assert author.short_name == "L."


def test_deleting_an_author_asks_first_and_names_the_books_that_will_go(client, author, book):
    asked = client.get(f"/authors/{author.pk}/delete/")

    assert "The Telling" in page(asked)
    assert Author.objects.exists()


def test_deleting_an_author_records_the_event_and_leaves_the_books_to_the_service(client, author, book):
    client.post(f"/authors/{author.pk}/delete/")

    assert_published_once(AuthorDeleted, author_id=author.pk, full_name="Ursula K. Le Guin")
    assert not Author.objects.exists()
    assert Book.objects.exists()


def test_a_book_whose_author_was_deleted_can_still_be_seen(client, author, book):
    author.delete()

    assert "deleted" in page(client.get("/books/"))
    assert "by an author who was deleted" in page(client.get(f"/books/{book.pk}/"))
    assert client.get(f"/books/{book.pk}/edit/").status_code == 200


def test_a_new_book_gets_a_slug_from_its_title(client, author):
    response = client.post("/books/new/", {"title": "The Left Hand of Darkness", "author_id": author.pk})

    book = Book.objects.get()
    assert (book.slug, book.status, book.author_id) == ("the-left-hand-of-darkness", "Drafted", author.pk)
    assert response.url == f"/books/{book.pk}/"


def test_a_title_of_signs_only_asks_for_a_slug(client, db):
    response = client.post("/books/new/", {"title": "!!!"})

    assert "slug" in response.context["form"].errors


def test_mistakes_in_a_book_get_their_messages_beside_their_fields(client, book):
    response = client.post(
        "/books/new/", {"title": " ", "slug": book.slug, "author_id": "77", "content": "Kept, every word."}
    )

    errors = response.context["form"].errors
    assert errors["title"] == ["This field is required."]
    assert errors["slug"] == ["Another book has this slug already."]
    assert "author_id" in errors
    assert "Kept, every word." in page(response)


def test_editing_a_book_keeps_its_status(client, book):
    book.publish()
    client.post(f"/books/{book.pk}/edit/", {"title": "Told", "slug": "told"})

    book.refresh_from_db()
    assert (book.title, book.status) == ("Told", "Published")


def test_publish_records_exactly_one_event_however_often_it_is_pressed(client, book):
    first = client.post(f"/books/{book.pk}/publish/", follow=True)
    second = client.post(f"/books/{book.pk}/publish/", follow=True)

    assert "is published" in page(first)
    assert "nothing changed" in page(second)
    assert_published_once(BookPublished)


def test_a_publication_that_fails_at_its_end_leaves_no_change_and_no_event(client, book):
    response = client.post(f"/books/{book.pk}/publish-and-fail/", follow=True)

    assert "no event was sent" in page(response)
    book.refresh_from_db()
    assert not book.is_published
    assert_not_published()


def test_failing_on_purpose_is_offered_in_the_demo_only(client, book, settings):
    settings.BOOKSTORE_DEMO = False

    assert "Publish, then fail" not in page(client.get(f"/books/{book.pk}/"))
    assert client.post(f"/books/{book.pk}/publish-and-fail/").status_code == 404


def test_deleting_a_book_asks_first_and_then_records_the_event(client, book):
    assert "for good" in page(client.get(f"/books/{book.pk}/delete/"))
    client.post(f"/books/{book.pk}/delete/")

    assert_published_once(BookDeleted, book_id=book.pk)
    assert not Book.objects.exists()


@pytest.mark.parametrize("path", ["/books/99/", "/books/99/edit/", "/authors/99/", "/authors/99/delete/", "/mail/abc/"])
def test_what_is_not_there_is_not_found(client, db, path):
    response = client.get(path)

    assert response.status_code == 404
    assert "There is nothing at this address" in page(response)


@pytest.mark.parametrize("path", ["publish/", "publish-and-fail/"])
def test_a_look_changes_nothing(client, book, path):
    assert client.get(f"/books/{book.pk}/{path}").status_code == 405


def test_every_change_needs_the_forms_token(db, author):
    client = Client(enforce_csrf_checks=True)

    assert client.post(f"/authors/{author.pk}/delete/").status_code == 403
    assert Author.objects.exists()


def test_long_lists_come_in_pages(client, db):
    Author.objects.bulk_create(Author(full_name=f"Author {n:03}", short_name=str(n)) for n in range(120))

    assert "Page 2 of 3" in page(client.get("/authors/?page=2"))
    assert "Page 3 of 3" in page(client.get("/authors/?page=999"))


def test_what_people_type_is_text_and_never_markup(client, db):
    Author.objects.create(full_name="<script>alert(1)</script>", short_name="<b>")

    assert "<script>alert" not in page(client.get("/authors/"))


def test_authors_and_books_are_in_the_admin(admin_client, book):
    assert "Ursula" in page(admin_client.get("/admin/bookstore/author/"))
    assert "The Telling" in page(admin_client.get("/admin/bookstore/book/"))


def test_the_admin_publishes_several_books_each_with_its_event(admin_client, author, book):
    other = Book.objects.create(title="Tehanu", slug="tehanu", author_id=author.pk)
    chosen = {"action": "publish", "_selected_action": [book.pk, other.pk]}
    admin_client.post("/admin/bookstore/book/", chosen)

    assert {event.data.book_id for event in captured_events(BookPublished)} == {book.pk, other.pk}
