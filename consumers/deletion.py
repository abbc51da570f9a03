"""The deletion service: when an author is deleted, their books go too."""

from demo_project.bookstore.contracts import AuthorDeleted
from demo_project.bookstore.models import Book
from eventbridge import Consumer, Event

# The rungs are the demo's, so that nobody has to wait; a service would keep the default.
consumer = Consumer("bookstore.deletion", retries=(1, 2))


@consumer.handles(AuthorDeleted)
def delete_their_books(event: Event[AuthorDeleted]) -> None:
    """Delete the author's books. The books' own events commit with that, this event named as their cause."""
    # Bridged models have receivers, so the ORM deletes row by row and each book's post_delete is sent.
    Book.objects.filter(author_id=event.data.author_id).delete()
