"""What a consumer redacts: nobody is shown it, nothing quotes it, and the replay still has it."""

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from eventbridge import Consumer, Event, Reject, event_type
from eventbridge.models import DeadLetter
from eventbridge.replays import Replays
from eventbridge.telemetry import retried
from eventbridge.transports import Message
from eventbridge.wire import encode
from tests.integration.test_worker import Delivery, Worker, threading

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL, NAME = "zebedee@quuxon.example", "Zebedee O'Quuxon"


@event_type("redaction.told.v1", key="email")
class Told:
    email: str
    people: list[dict[str, Any]]
    price: float = 1.5


def message(**changes: Any) -> Message:
    event = Event.about(Told(email=EMAIL, people=[{"name": NAME, "role": "author"}]), source="/shop")
    fields = {"destination": "", "routing_key": event.type, "body": encode(event), "id": event.id, "type": event.type}
    return Message(**{**fields, **changes})


def handle(message: Message, handler: Callable[[Any], Any], attempt: int = 1, **policy: Any) -> DeadLetter | None:
    """One delivery to a consumer that redacts; its dead letter, if it is one by then."""
    consumer = Consumer("redaction.test", **{"retries": (), "redact": ("email", "name"), **policy})
    consumer.handles(Told)(handler)
    Worker(consumer, threading.Event()).handle([Delivery(message, attempt)])
    return DeadLetter.objects.first()


def fail(event: Event[Told]) -> None:
    """As libraries do: with the value in it, in part, and in another form; and a cause that has it, too."""
    try:
        raise KeyError(event.data.email.upper())
    except KeyError as error:
        error.add_note(f"note {EMAIL}")
        raise ValueError(f"{EMAIL.partition('@')[0]} is unknown; {event.data.people!r}") from error


def reject(event: Event[Told]) -> None:
    raise Reject(f"{EMAIL} is no address")


def is_told(text: str) -> bool:
    return any(word in text.lower() for word in ("zebed", "quuxon"))


def shown(letter: DeadLetter, client: Any) -> str:
    """Everything that people and programs are shown of it."""
    from io import StringIO

    out = StringIO()
    for arguments in (("show", str(letter.pk)), ("show", str(letter.pk), "--json"), ("list",), ("list", "--json")):
        call_command("eventbridge", "dead", *arguments, stdout=out)
    for page in (f"{letter.pk}/change/", ""):
        out.write(client.get(f"/admin/eventbridge/deadletter/{page}").content.decode())
    return out.getvalue()


@pytest.mark.parametrize("handler", [fail, reject])
def test_nothing_that_is_redacted_is_stored_beside_the_body_shown_or_logged(handler, admin_client, caplog):
    caplog.set_level(logging.DEBUG)
    letter = handle(message(), handler)
    assert letter is not None
    columns = [getattr(letter, field.attname) for field in DeadLetter._meta.fields if field.attname != "body"]
    assert not is_told(" ".join(map(str, columns)))
    assert not is_told(shown(letter, admin_client))
    assert not is_told(caplog.text)


def test_what_remains_is_the_class_the_place_and_everything_else_of_the_body(admin_client):
    letter = handle(message(), fail)
    assert letter is not None
    assert (letter.exception, letter.error, letter.subject) == ("ValueError", "(redacted)", "***")
    assert "KeyError(redacted)" in letter.traceback
    assert 'raise ValueError(f"{EMAIL.partition' in letter.traceback
    page = shown(letter, admin_client)
    assert '"email": "***"' in page
    assert '"price": 1.5' in page
    assert '"name": "***",\n          "role": "author"' in page
    assert "redacted    email, name, subject, partitionkey\n" in page


def test_the_body_is_byte_identical_for_the_replay():
    original = message()
    letter = handle(original, fail)
    assert letter is not None
    assert bytes(letter.body) == original.body
    DeadLetter.objects.replay()
    seen: list[Event[Told]] = []
    consumer = Consumer("redaction.test", redact=("email",))
    consumer.handles(Told)(seen.append)
    [replay] = [delivery for delivery in [next(Replays("redaction.test", "default", 1).deliveries(0))] if delivery]
    Worker(consumer, threading.Event()).handle([replay])
    assert [event.data.email for event in seen] == [EMAIL]
    assert not DeadLetter.objects.exists()


def test_receivers_of_an_attempt_that_failed_are_not_told_what_it_said(caplog):
    told: list[BaseException] = []

    def listen(sender: Any, error: BaseException, **kwargs: Any) -> None:
        told.append(error)

    retried.connect(listen)
    try:
        assert handle(message(), fail, retries=(5,)) is None
    finally:
        retried.disconnect(listen)
    [error] = told
    assert (str(error), repr(error)) == ("(redacted)", "ValueError(redacted)")
    assert not is_told("".join(traceback.format_exception(error)))
    assert "ValueError(redacted)" in caplog.text


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"Zebedee \xff", "text/plain"),
        (b'{"email": "Zebedee"', "application/cloudevents+json"),
        (b'{"specversion":"1.0","id":"1","source":"/s","type":"redaction.told.v1","data":{"email":["Zebedee"]}}', None),
        (b'{"subject":"Zebedee","data_base64":"eyJlbWFpbCI6ICJaZWJlZGVlIn0=","email":{"of":"Zebedee"}}', None),
        (b'{"email":' * 500 + b'"Zebedee"' + b"}" * 500, None),
        (b'{"price": NaN, "email": "Zebedee"}', None),
        (b'["Zebedee O\'Quuxon"', None),
    ],
)
def test_what_cannot_be_read_is_no_less_redacted(body, content_type, admin_client):
    changes = {"content_type": content_type} if content_type else {}
    letter = handle(message(body=body, **changes), fail)
    assert letter is not None
    assert letter.reason == "malformed"
    assert bytes(letter.body) == body
    assert not is_told(shown(letter, admin_client))
    assert "eyJ" not in shown(letter, admin_client).partition("body_base64")[0]


def test_attributes_that_travel_as_headers_are_redacted_too(admin_client):
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "redaction.told.v1"}
    headers |= {"ce-email": EMAIL, "cloudEvents_name": NAME, "ce-subject": EMAIL}
    body = json.dumps({"email": EMAIL}).encode()
    letter = handle(
        message(headers=headers, body=body, content_type="application/json"), fail, redact=("email", "name", "subject")
    )
    assert letter is not None
    assert letter.headers["ce-subject"] == EMAIL, "the replay needs it"
    assert not is_told(shown(letter, admin_client))


def test_data_hides_all_of_it(admin_client):
    letter = handle(message(), fail, redact=("data", "subject", "partitionkey"))
    assert letter is not None
    page = shown(letter, admin_client)
    assert '"data": "***"' in page
    assert not is_told(page)


def test_numbers_stay_as_they_came():
    body = b'{"email":"a","price":1.10,"big":123456789012345678901234567890,"tiny":1E-7}'
    letter = DeadLetter(body=body, redacted=["email"])
    assert letter.shown_body == body.replace(b'"a"', b'"***"')


def test_who_redacts_nothing_is_shown_everything(admin_client):
    letter = handle(message(), fail, redact=())
    assert letter is not None
    assert letter.shown_body == bytes(letter.body)
    assert letter.subject == EMAIL
    assert "zebedee is unknown" in letter.error
