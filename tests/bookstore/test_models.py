"""When `book_published` is sent, and what becomes of it."""

from typing import Any

import pytest
from django.db import transaction

from demo_project.bookstore.models import Author, Book


class JammedError(Exception):
    pass


@transaction.atomic
def publish_and_fail(book):
    book.publish()
    raise JammedError


def test_publishing_a_book_records_one_event_with_its_author(author, book, recorded):
    book.publish()

    assert recorded("book.published") == [
        {
            "book_id": book.pk,
            "title": "The Telling",
            "author_id": author.pk,
            "author_name": "Ursula K. Le Guin",
            "author_email": "ursula@example.org",
        }
    ]


def test_a_book_that_is_created_as_published_is_published(author, recorded):
    Book.objects.create(title="Tehanu", slug="tehanu", status="Published", author_id=author.pk)

    assert [event["title"] for event in recorded("book.published")] == ["Tehanu"]


def test_saving_a_published_book_again_publishes_nothing(book, recorded):
    book.publish()
    book.title = "The Telling, revised"
    book.save()

    assert len(recorded("book.published")) == 1


def test_publishing_an_outdated_copy_of_a_published_book_publishes_nothing(book, recorded):
    outdated = Book.objects.get(pk=book.pk)
    book.publish()
    outdated.publish()

    assert len(recorded("book.published")) == 1


def test_a_book_that_was_taken_back_can_be_published_again(book, recorded):
    book.publish()
    book.status = Book.Status.DRAFTED
    book.save()
    book.publish()

    assert len(recorded("book.published")) == 2


def test_a_save_that_leaves_the_status_out_publishes_nothing(book, recorded):
    book.status = Book.Status.PUBLISHED
    book.save(update_fields=["title"])

    assert recorded("book.published") == []


def test_a_book_without_an_author_is_published_with_empty_names(db, recorded):
    Book.objects.create(title="Beowulf", slug="beowulf", status="Published")

    assert recorded("book.published")[0]["author_id"] is None
    assert recorded("book.published")[0]["author_email"] == ""


def test_a_publication_that_is_rolled_back_records_nothing(book, recorded):
    with pytest.raises(JammedError):
        publish_and_fail(book)

    assert recorded("book.published") == recorded("book.saved") == []
    book.refresh_from_db()
    assert not book.is_published


def test_saving_a_book_records_whether_it_is_new(author, recorded):
    book = Book.objects.create(title="Tehanu", slug="tehanu", author_id=author.pk)
    book.save()

    assert [event["created"] for event in recorded("book.saved")] == [True, False]


def test_deleting_authors_in_bulk_records_an_event_for_each(db: None, recorded: Any) -> None:
    for name in ("Lem", "Borges"):
        Author.objects.create(full_name=name, short_name=name)
    Author.objects.all().delete()

    assert sorted(event["full_name"] for event in recorded("author.deleted")) == ["Borges", "Lem"]


def test_deleting_an_author_leaves_their_books_alone(author, book, recorded):
    author.delete()

    assert len(recorded("author.deleted")) == 1
    assert Book.objects.filter(pk=book.pk).exists()
