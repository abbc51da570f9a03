"""The email service: an author is told when a book of theirs is published."""

from email.headerregistry import Address

from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.utils.html import format_html

from demo_project.bookstore.contracts import BookPublished
from eventbridge import Consumer, Event, Reject

# atomic=False: no transaction is open while the mail server is talked to. The rungs are the demo's, so that nobody
# has to wait; a service would keep the default.
consumer = Consumer("bookstore.email", atomic=False, concurrency=4, retries=(1, 2))

TEXT = """\
Dear {name},

your book “{title}” is published. Readers can find it in the bookstore now.

Congratulations!

The Bookstore
"""

HTML = """\
<!doctype html>
<html lang="en">
<body style="margin:0;padding:32px 16px;background:#faf8f4;color:#23241f;font:16px/1.6 Georgia,serif">
<div style="max-width:32rem;margin:0 auto;padding:32px;background:#fff;border:1px solid #e2ded4;border-radius:8px">
<p style="margin-top:0">Dear {name},</p>
<p>your book <strong style="color:#2a6860">{title}</strong> is published.
Readers can find it in the bookstore now.</p>
<p>Congratulations!</p>
<p style="margin-bottom:0;color:#66675f">The Bookstore</p>
</div>
</body>
</html>
"""


@consumer.handles(BookPublished)
def tell_author(event: Event[BookPublished]) -> None:
    """Send the author one mail. If it is sent twice after a crash, both have the same Message-ID."""
    book = event.data
    mail = EmailMultiAlternatives(
        subject=f"Your book “{_one_line(book.title)}” is published",
        body=TEXT.format(name=book.author_name, title=book.title),
        to=[_recipient(book)],
        headers={"Message-ID": f"<{event.id}@bookstore.example>"},
    )
    mail.attach_alternative(format_html(HTML, name=book.author_name, title=book.title), "text/html")
    mail.send()


def _recipient(book: BookPublished) -> str:
    """Name and address, as a To header has them. Raises Reject where there is no address to write to."""
    if not book.author_email:
        raise Reject(f"{book.author_name or 'the author'} has no email address")
    try:
        validate_email(book.author_email)
        return str(Address(display_name=_one_line(book.author_name), addr_spec=book.author_email))
    except (ValidationError, ValueError) as error:
        raise Reject(f"{book.author_email!r} is no email address") from error


def _one_line(text: str) -> str:
    return " ".join(text.split())
