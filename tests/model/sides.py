"""The two brokers of the model, with one face: eventbridge's embedded one, and one in memory that is like RabbitMQ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

from django.db.models.functions import Now

from eventbridge.consumer import Consumer
from eventbridge.models import BrokerBinding, BrokerMessage, BrokerQueue
from eventbridge.models.broker import NewMessage
from eventbridge.topology import EVENTS, queue_of
from eventbridge.transports import Options, Publisher, Subscriber, database, rabbitmq
from tests.model import cast
from tests.model.broker import Broker, Session, Stored
from tests.model.link import Link

EMBEDDED = Options(url="database://?lease=3600")
RABBIT = Options(url="amqp://nobody/")


class Present(NamedTuple):
    """A message that is on the broker: where, of which event, and which attempt it says comes next."""

    queue: str
    id: str
    attempt: int


class Side(Protocol):
    def publisher(self) -> Publisher: ...
    def subscriber(self, consumer: Consumer) -> Subscriber: ...
    def bind_late(self) -> None: ...
    def expire(self) -> None:
        """Every rung's time has come."""

    def meanwhile(self) -> None:
        """What other threads do while a process goes from one step to the next."""

    def vanish(self, subscriber: Subscriber) -> None:
        """The link of a subscriber is cut, or its holder is dead."""

    def lapse(self, renewed: Collection[str]) -> None:
        """So much time passes that whatever is leased on the broker is anybody's, but for these leases."""

    def duplicate(self, number: int) -> None:
        """Something that waits is there twice."""

    def present(self) -> list[Present]: ...
    def arrivals(self) -> list[str]:
        """The ids of the events that arrived at the books' queue since last asked, in order."""

    def in_doubt(self) -> list[str]:
        """The ids of the events that the broker took since last asked, and whose publisher did not learn of it."""

    def nacked(self) -> set[str]: ...
    def misbehave(self, faults: Sequence[str]) -> None: ...


class Embedded:
    """The real one, in the database."""

    def __init__(self) -> None:
        self._seen = 0
        BrokerMessage.objects.all().delete()
        BrokerBinding.objects.all().delete()
        BrokerQueue.objects.all().delete()
        database.declare(EMBEDDED, cast.without_the_late(cast.topology()))

    def publisher(self) -> Publisher:
        return database.Publisher(EMBEDDED)

    def subscriber(self, consumer: Consumer) -> Subscriber:
        return database.Subscriber(EMBEDDED, queue_of(consumer), prefetch=consumer.prefetch, retries=self.publisher())

    def bind_late(self) -> None:
        database.declare(EMBEDDED, cast.topology())

    def expire(self) -> None:
        BrokerMessage.objects.filter(lease="").update(ready_at=Now())

    def meanwhile(self) -> None:
        """Nothing is settled before more is taken."""

    def vanish(self, subscriber: Subscriber) -> None:
        """Nobody notices before the lease lapses."""

    def lapse(self, renewed: Collection[str]) -> None:
        BrokerMessage.objects.exclude(lease__in=["", *renewed]).update(ready_at=Now())

    def duplicate(self, number: int) -> None:
        rows = list(BrokerMessage.objects.order_by("id"))
        if rows:
            twin = rows[number % len(rows)]
            self.arrivals()
            BrokerMessage.objects.all().put([NewMessage(*(getattr(twin, name) for name in NewMessage._fields))])
            self.arrivals()

    def present(self) -> list[Present]:
        return [Present(*row) for row in BrokerMessage.objects.values_list("queue", "message_id", "attempt")]

    def arrivals(self) -> list[str]:
        new = BrokerMessage.objects.filter(queue=cast.books.name, pk__gt=self._seen).order_by("pk")
        found = list(new.values_list("pk", "message_id"))
        self._seen = max([self._seen, *(pk for pk, _ in found)])
        return [event_id for _, event_id in found]

    def in_doubt(self) -> list[str]:
        return []

    def nacked(self) -> set[str]:
        return set()

    def misbehave(self, faults: Sequence[str]) -> None:
        """It is only a database: the fates of its statements are its faults."""


class Rabbit:
    """The broker in memory; eventbridge's own publisher, subscriber, deliveries and ledger at its side."""

    def __init__(self) -> None:
        self.broker = Broker(cast.topology())
        self.broker.bound = {b.key for b in self.broker.topology.bindings if b.exchange == EVENTS} - {cast.LATE}

    def publisher(self) -> Publisher:
        publisher = rabbitmq.Publisher(RABBIT)
        publisher._link = Link(self.broker)  # type: ignore[assignment]
        return publisher

    def subscriber(self, consumer: Consumer) -> Subscriber:
        subscriber = rabbitmq.Subscriber(
            RABBIT, queue_of(consumer), prefetch=consumer.prefetch, retries=self.publisher()
        )
        subscriber._session = self._session(consumer)
        return subscriber

    def _session(self, consumer: Consumer) -> Any:
        return Session(self.broker, queue_of(consumer), consumer.prefetch)

    def bind_late(self) -> None:
        self.broker.bound.add(cast.LATE)

    def expire(self) -> None:
        self.broker.expire()

    def meanwhile(self) -> None:
        for session in self.broker.sessions:
            if session.quick:
                session.flush()

    def vanish(self, subscriber: Any) -> None:
        if subscriber._session is not None:
            subscriber._session.lose()

    def lapse(self, renewed: Collection[str]) -> None:
        """Nothing is leased here: the broker notices at once when a link is cut."""

    def duplicate(self, number: int) -> None:
        waiting = [(queue, message) for queue in self.broker.queues.values() for message in queue]
        if waiting:
            queue, message = waiting[number % len(waiting)]
            queue.append(message)

    def present(self) -> list[Present]:
        return [Present(queue, message.id, message.attempt) for queue, message in self.broker.present]

    def arrivals(self) -> list[str]:
        found = [event_id for queue, event_id in self.broker.arrived if queue == cast.books.name]
        self.broker.arrived.clear()
        return found

    def in_doubt(self) -> list[str]:
        found = list(self.broker.unheard.elements())
        self.broker.unheard.clear()
        return found

    def nacked(self) -> set[str]:
        return self.broker.nacked

    def misbehave(self, faults: Sequence[str]) -> None:
        self.broker.faults.clear()
        self.broker.faults.extend(faults)

    def forge(self, body: bytes, message_id: str, headers: dict[str, Any]) -> None:
        """Somebody else publishes an event, with headers of their own."""
        properties = {"message_id": message_id, "content_type": "application/cloudevents+json", "headers": headers}
        self.broker.take(Stored(EVENTS, "model.told.v1", body, properties))
