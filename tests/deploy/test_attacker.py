"""What nobody can do on the broker who has the credentials of one consumer, or of the relay, and a client of their own.

The attacker is the bookstore's email consumer, the victim its deletion consumer, with the rights that
`topology --export --users` gives them.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import amqp
import kombu
import pytest
from amqp.exceptions import AccessRefused

from eventbridge import Consumer, Event, event_type
from eventbridge.models import DeadLetter
from eventbridge.topology import EVENTS, LOST, REQUEUE, Queue, rung
from eventbridge.transports import Delivery
from eventbridge.transports.rabbitmq import Publisher, Subscriber
from eventbridge.wire import encode
from eventbridge.worker import Worker
from tests.contract.bench import take
from tests.deploy.conftest import Loaded
from tests.services.rabbitmq import Management, RabbitMQ

ATTACKER, VICTIM = "bookstore.email", "bookstore.deletion"
DELETED, PUBLISHED = "bookstore.author.deleted.v1", "bookstore.book.published.v1"


@event_type("bookstore.attacked.v1")
class Attacked:
    """What the victim would act upon."""

    author_id: int


BODY = encode(Event.about(Attacked(author_id=1), source="/bookstore"))


@contextmanager
def channel_of(loaded: Loaded, user: str) -> Iterator[Any]:
    """A channel in confirm mode: what the broker refuses is raised at once."""
    with kombu.Connection(loaded.options(user).url, transport_options={"confirm_publish": True}) as connection:
        yield connection.default_channel


@pytest.fixture
def attacker(loaded: Loaded) -> Iterator[Any]:
    with channel_of(loaded, ATTACKER) as channel:
        yield channel


@pytest.fixture
def victim(loaded: Loaded) -> Iterator[Callable[[], Delivery]]:
    """The victim's own way to its queue; what it is given there next."""
    options = loaded.options(VICTIM)
    retries = Publisher(options)
    subscriber = Subscriber(options, Queue(VICTIM), prefetch=1, retries=retries)
    yield lambda: take(subscriber, 1)[0]
    subscriber.close(2)
    retries.close(2)


def forgery(**headers: Any) -> amqp.Message:
    return amqp.Message(BODY, message_id="forged", content_type="application/cloudevents+json", **headers)


@pytest.mark.parametrize(
    "exchange", ["", EVENTS, REQUEUE, LOST, rung(30), "amq.direct", "amq.topic", "amq.fanout", "amq.headers"]
)
@pytest.mark.parametrize("key", [ATTACKER, VICTIM, DELETED])
def test_a_consumers_credentials_publish_nowhere_but_to_its_own_rungs(attacker: Any, exchange: str, key: str) -> None:
    with pytest.raises(AccessRefused):
        attacker.basic_publish_confirm(forgery(), exchange, key)


@pytest.mark.parametrize("key", [VICTIM, DELETED, "", f"{ATTACKER}.", f"x.{ATTACKER}", "#"])
@pytest.mark.parametrize("delay", [1, 2])
def test_a_consumers_credentials_put_nothing_on_the_ladder_under_another_name(
    attacker: Any, key: str, delay: int
) -> None:
    with pytest.raises(AccessRefused, match="topic"):
        attacker.basic_publish_confirm(forgery(), rung(delay), key)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_a_copy_that_is_sent_into_another_queue_past_the_topic_permissions_is_never_handled(
    attacker: Any, victim: Callable[[], Delivery], header: str
) -> None:
    """RabbitMQ 4 refuses it; before, the copy arrives (github.com/rabbitmq/rabbitmq-server/pull/12553)."""
    handled: list[Event[Attacked]] = []
    consumer = Consumer(VICTIM)
    consumer.handles("bookstore.#")(handled.append)
    try:
        attacker.basic_publish_confirm(forgery(application_headers={header: [VICTIM]}), rung(1), ATTACKER)
    except AccessRefused:
        return
    Worker(consumer, threading.Event()).handle([victim()])
    letter = DeadLetter.objects.get()
    assert not handled
    assert letter.reason == DeadLetter.Reason.MALFORMED
    assert ATTACKER in letter.error
    assert bytes(letter.body) == BODY


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("copied_to", [None, DELETED])
def test_the_relays_credentials_send_no_event_under_the_type_of_another(
    loaded: Loaded, victim: Callable[[], Delivery], copied_to: str | None
) -> None:
    """What the body says of itself is nothing that the broker looks at."""
    handled: list[Event[Attacked]] = []
    consumer = Consumer(VICTIM)
    consumer.handles(Attacked)(handled.append)
    headers = {"application_headers": {"CC": [copied_to]}} if copied_to else {}
    with channel_of(loaded, "relay") as channel:
        channel.basic_publish_confirm(forgery(**headers), EVENTS, "bookstore.harmless.v1" if copied_to else DELETED)
    Worker(consumer, threading.Event()).handle([victim()])
    assert not handled
    assert "it was published as" in DeadLetter.objects.get().error


@pytest.mark.parametrize("queue", [VICTIM, rung(1), LOST])
def test_a_consumers_credentials_read_no_other_queue(attacker: Any, queue: str) -> None:
    for attempt in (
        lambda: attacker.basic_get(queue),
        lambda: attacker.basic_consume(queue),
        lambda: attacker.queue_purge(queue),
    ):
        with pytest.raises(AccessRefused):
            attempt()


def test_a_consumers_credentials_create_bind_and_delete_nothing(attacker: Any) -> None:
    """Neither a queue of its own, to listen in, nor one more binding for the queue that it has."""
    for attempt in (
        lambda: attacker.queue_declare("", exclusive=True),
        lambda: attacker.queue_declare("bookstore.tap"),
        lambda: attacker.queue_declare(f"{ATTACKER}.tap"),
        lambda: attacker.exchange_declare("bookstore.tap", "fanout"),
        lambda: attacker.queue_bind(ATTACKER, EVENTS, "#"),
        lambda: attacker.queue_unbind(VICTIM, EVENTS, DELETED),
        lambda: attacker.exchange_bind(REQUEUE, EVENTS, "#"),
        lambda: attacker.queue_delete(ATTACKER),
        lambda: attacker.queue_delete(VICTIM),
        lambda: attacker.exchange_delete(EVENTS),
    ):
        with pytest.raises(AccessRefused):
            attempt()


def test_a_consumers_credentials_open_no_other_virtual_host_and_no_management_page(
    loaded: Loaded, broker: RabbitMQ
) -> None:
    options = loaded.options(ATTACKER)
    elsewhere = options.url.rpartition("/")[0] + "/%2F"
    with pytest.raises((AccessRefused, amqp.exceptions.NotAllowed)), kombu.Connection(elsewhere) as connection:
        connection.connect()
    user, _, password = options.url.partition("//")[2].partition("@")[0].partition(":")
    assert not Management(broker.management.url, user, password).answers()


def test_a_consumers_credentials_do_what_a_consumer_needs(attacker: Any, loaded: Loaded) -> None:
    """Or all that is refused above would prove nothing."""
    attacker.basic_publish_confirm(forgery(), rung(1), ATTACKER)
    with channel_of(loaded, "relay") as channel:
        channel.basic_publish_confirm(forgery(), EVENTS, PUBLISHED)
    options = loaded.options(ATTACKER)
    retries = Publisher(options)
    subscriber = Subscriber(options, Queue(ATTACKER), prefetch=2, retries=retries)
    assert {delivery.message.routing_key for delivery in take(subscriber, 2)} == {ATTACKER, PUBLISHED}
    subscriber.close(2)
    retries.close(2)
