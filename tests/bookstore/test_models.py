"""When `book_published` is sent, and what becomes of it."""

import pytest
from django.db import transaction

from demo_project.bookstore.contracts import AuthorDeleted, BookPublished, BookSaved
from demo_project.bookstore.models import Author, Book
from demo_project.bookstore.signals import book_published
from eventbridge.testing import assert_not_published, assert_published, assert_published_once, captured_events


class JammedError(Exception):
    pass


@transaction.atomic
def publish_and_fail(book):
    book.publish()
    raise JammedError


def test_publishing_a_book_records_one_event_with_its_author(author, book):
    book.publish()

    event = assert_published_once(BookPublished)
    assert event.data == BookPublished(
        book_id=book.pk,
        title="The Telling",
        author_id=author.pk,
        author_name="Ursula K. Le Guin",
        author_email="ursula@example.org",
    )


def test_any_code_may_say_that_a_book_was_published(author, book):
    book_published.send(sender=None, book=book, author=author)

    assert_published_once(BookPublished, book_id=book.pk, author_name="Ursula K. Le Guin")


def test_a_book_that_is_created_as_published_is_published(author):
    Book.objects.create(title="Tehanu", slug="tehanu", status="Published", author_id=author.pk)

    assert_published_once(BookPublished, title="Tehanu")


def test_saving_a_published_book_again_publishes_nothing(book):
    book.publish()
    book.title = "The Telling, revised"
    book.save()

    assert_published_once(BookPublished)


def test_publishing_an_outdated_copy_of_a_published_book_publishes_nothing(book):
    outdated = Book.objects.get(pk=book.pk)
    book.publish()
    outdated.publish()

    assert_published_once(BookPublished)


def test_a_book_that_was_taken_back_can_be_published_again(book):
    book.publish()
    book.status = Book.Status.DRAFTED
    book.save()
    book.publish()

    assert len(captured_events(BookPublished)) == 2


def test_a_save_that_leaves_the_status_out_publishes_nothing(book):
    book.status = Book.Status.PUBLISHED
    book.save(update_fields=["title"])

    assert_not_published(BookPublished)


def test_a_book_without_an_author_is_published_with_empty_names(db):
    Book.objects.create(title="Beowulf", slug="beowulf", status="Published")

    assert_published_once(BookPublished, author_id=None, author_name="", author_email="")


def test_a_publication_that_is_rolled_back_records_nothing(book):
    with pytest.raises(JammedError):
        publish_and_fail(book)

    assert_not_published()
    book.refresh_from_db()
    assert not book.is_published


def test_saving_a_book_records_whether_it_is_new(author):
    book = Book.objects.create(title="Tehanu", slug="tehanu", author_id=author.pk)
    book.save()

    assert [event.data.created for event in captured_events(BookSaved)] == [True, False]


def test_deleting_authors_in_bulk_records_an_event_for_each(db):
    for name in ("Lem", "Borges"):
        Author.objects.create(full_name=name, short_name=name)
    Author.objects.all().delete()

    assert_published_once(AuthorDeleted, full_name="Borges")
    assert_published_once(AuthorDeleted, full_name="Lem")


def test_deleting_an_author_leaves_their_books_alone(author, book):
    author_id = author.pk
    author.delete()

    assert_published(AuthorDeleted, author_id=author_id)
    assert Book.objects.filter(pk=book.pk).exists()
