"""The event: about 500 bytes once it is encoded."""

from eventbridge import event_type


@event_type("bench.book.saved.v1", key="book_id")
class BookSaved:
    """A book was saved."""

    book_id: int
    title: str
    slug: str
    status: str
    author_id: int | None
    created: bool
