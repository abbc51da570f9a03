"""The email service and the deletion service: their handlers alone, and on the whole way from a change on the site."""

import smtplib

import pytest

from consumers import deletion
from consumers.deletion import delete_their_books
from consumers.email import consumer, tell_author
from demo_project.bookstore.contracts import AuthorDeleted, BookDeleted, BookPublished
from demo_project.bookstore.models import Author, Book
from eventbridge import Event, Reject
from eventbridge.models import OutboxEntry
from eventbridge.testing import assert_not_published, assert_published_once, captured_events, deliver


def published(title="The Telling", name="Ursula K. Le Guin", email="ursula@example.org"):
    data = BookPublished(book_id=1, title=title, author_id=2, author_name=name, author_email=email)
    return Event.about(data, source="/bookstore")


def parts(message):
    return {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}


def test_the_author_gets_a_mail_with_the_title_in_text_and_html(mail_server):
    tell_author(published())

    (message,) = mail_server.messages
    assert message["Subject"] == "Your book “The Telling” is published"
    assert message["To"].addresses[0].addr_spec == "ursula@example.org"
    assert message["To"].addresses[0].display_name == "Ursula K. Le Guin"
    assert "The Telling" in parts(message)["text/plain"]
    assert "<strong" in parts(message)["text/html"]


def test_the_message_id_is_made_of_the_event_so_that_a_second_mail_can_be_recognised(mail_server):
    event = published()
    tell_author(event)
    tell_author(event)

    assert [message["Message-ID"] for message in mail_server.messages] == [f"<{event.id}@bookstore.example>"] * 2


def test_names_and_titles_of_any_kind_arrive_as_they_are(mail_server):
    tell_author(published(title="Söl <b>{x}</b>\r\nBcc: all@example.org", name='Zoë "Q", Lem'))

    (message,) = mail_server.messages
    assert message["Subject"].strip() == "Your book “Söl <b>{x}</b> Bcc: all@example.org” is published"
    assert message["To"].addresses[0].display_name == 'Zoë "Q", Lem'
    assert message["Bcc"] is None
    assert "Söl &lt;b&gt;{x}&lt;/b&gt;" in parts(message)["text/html"]


def test_an_author_without_an_address_is_rejected_with_that_reason(mail_server):
    with pytest.raises(Reject, match=r"Ursula K\. Le Guin has no email address"):
        tell_author(published(email=""))

    assert mail_server.messages == []


def test_an_address_that_is_none_is_rejected(mail_server):
    with pytest.raises(Reject, match="'nowhere' is no email address"):
        tell_author(published(email="nowhere"))


def test_a_mail_server_that_refuses_makes_the_attempt_fail(mail_server):
    mail_server.refuse()

    with pytest.raises(smtplib.SMTPException):
        tell_author(published())


def test_a_mail_server_that_is_down_makes_the_attempt_fail(mail_server):
    mail_server.down()

    with pytest.raises(OSError, match="refused"):
        tell_author(published())


def test_no_transaction_is_open_while_mail_is_sent():
    assert not consumer.atomic


def test_the_books_of_a_deleted_author_go_and_each_is_an_event(author, book):
    other = Book.objects.create(title="Tehanu", slug="tehanu", author_id=author.pk)
    kept = Book.objects.create(title="Solaris", slug="solaris", author_id=author.pk + 1)
    books = {book.pk, other.pk}

    author.delete()
    deliver(deletion.consumer)

    cause = assert_published_once(AuthorDeleted)
    assert list(Book.objects.all()) == [kept]
    deleted = captured_events(BookDeleted)
    assert {event.data.book_id for event in deleted} == books
    assert {event.causationid for event in deleted} == {cause.id}


def test_a_book_that_is_published_ends_in_a_mail_to_its_author(book, mail_server):
    book.publish()
    deliver("consumers.email", "consumers.deletion")

    (message,) = mail_server.messages
    assert message["Message-ID"] == f"<{assert_published_once(BookPublished).id}@bookstore.example>"


def test_without_an_address_the_letter_is_dead_at_once(db, mail_server):
    nobody = Author.objects.create(full_name="Anonymous", short_name="Anon")
    Book.objects.create(title="Beowulf", slug="beowulf", status="Published", author_id=nobody.pk)

    [settled] = deliver("consumers.email", failures="retry")
    assert (settled.state, str(settled.error)) == ("dead", "Anonymous has no email address")
    assert mail_server.messages == []


def test_an_author_without_books_is_no_trouble(db):
    delete_their_books(Event.about(AuthorDeleted(author_id=5, full_name="…"), source="/bookstore"))

    assert_not_published()


@pytest.mark.django_db(transaction=True)
def test_an_author_who_was_deleted_twice_is_deleted_once():
    """As after a replay: the books are gone, and no second event tells of them."""
    author = Author.objects.create(full_name="Ursula K. Le Guin", short_name="Le Guin")
    Book.objects.create(title="The Telling", slug="telling", author_id=author.pk)
    other = Book.objects.create(title="Solaris", slug="solaris", author_id=author.pk + 1)
    event = Event.about(AuthorDeleted(author_id=author.pk, full_name=author.full_name), source="/bookstore")
    delete_their_books(event)
    before = OutboxEntry.objects.count()
    delete_their_books(event)
    assert OutboxEntry.objects.count() == before
    assert Book.objects.get() == other
