"""The bookstore's events, as other services may import them. No Django here.

A change that a reader would stumble over is a new version (`.v2`), published beside the old one.
"""

from eventbridge import event_type


@event_type("bookstore.author.deleted.v1", key="author_id")
class AuthorDeleted:
    """An author was deleted. Their books are still there."""

    author_id: int
    full_name: str


@event_type("bookstore.book.published.v1", key="book_id")
class BookPublished:
    """A book's status became Published. The author's name and email are empty where they are not known."""

    book_id: int
    title: str
    author_id: int | None
    author_name: str
    author_email: str


@event_type("bookstore.book.saved.v1", key="book_id", mandatory=False)
class BookSaved:
    """A book was created or changed."""

    book_id: int
    title: str
    slug: str
    status: str
    author_id: int | None
    created: bool


@event_type("bookstore.book.deleted.v1", key="book_id", mandatory=False)
class BookDeleted:
    """A book was deleted."""

    book_id: int
    title: str
    author_id: int | None
