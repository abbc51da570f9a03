"""The mail that was sent, as files: what Django's file backend writes, and single messages as `.eml`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path

from django.conf import settings

SEPARATOR = b"\n" + b"-" * 79 + b"\n"  # what Django's file backend puts after each message


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One message that was sent. `name` is stable for the same bytes and fits into an address."""

    name: str
    message_id: str
    subject: str
    sender: str
    recipient: str
    sent: datetime | None
    text: str
    html: str


def newest_first() -> list[Mail]:
    """Every mail in the mail directory."""
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted((_read(raw) for raw in _messages()), key=lambda mail: mail.sent or oldest, reverse=True)


def find(name: str) -> Mail | None:
    """The mail of this name."""
    return next((mail for mail in newest_first() if mail.name == name), None)


def _messages() -> Iterator[bytes]:
    directory = Path(settings.BOOKSTORE_MAIL)
    for file in sorted(directory.glob("*.log")):
        yield from (raw for raw in file.read_bytes().split(SEPARATOR) if raw.strip())
    for file in sorted(directory.glob("*.eml")):
        yield file.read_bytes()


def _read(raw: bytes) -> Mail:
    message = message_from_bytes(raw, policy=policy.default)
    return Mail(
        name=sha256(raw).hexdigest()[:16],
        message_id=str(message["Message-ID"] or ""),
        subject=str(message["Subject"] or "").strip() or "(no subject)",
        sender=str(message["From"] or ""),
        recipient=str(message["To"] or ""),
        sent=_date(message),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _date(message: EmailMessage) -> datetime | None:
    """When it was sent, in UTC where the header names no zone."""
    moment: datetime | None = getattr(message["Date"], "datetime", None)
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return str(body.get_content()) if body else ""
