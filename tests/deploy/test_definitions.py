"""deploy/rabbitmq/definitions.json: what compose.yaml loads into RabbitMQ, and who may do what there."""

import base64
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eventbridge.errors import TopologyMismatch, Unavailable
from eventbridge.topology import EVENTS, LOST, REQUEUE, Queue, Topology, rung
from eventbridge.transports import CONFIRMED, Message, Options, Outcome
from eventbridge.transports.rabbitmq import Publisher, Subscriber, declare, missing
from tests.deploy.conftest import Loaded
from tests.services.waiting import wait_for

FOLDER = Path(__file__).parents[2] / "deploy" / "rabbitmq"
EMAIL, DELETION = SERVICES = ("bookstore.email", "bookstore.deletion")
PUBLISHED, DELETED = "bookstore.book.published.v1", "bookstore.author.deleted.v1"


def test_the_definitions_are_what_topology_exports_with_passwords_and_an_administrator(
    definitions: dict[str, Any], exported: dict[str, Any]
) -> None:
    for kind, things in exported.items():
        ours = [_without_password(thing) for thing in definitions[kind] if not _is_the_administrators(thing)]
        assert ours == [_without_password(thing) for thing in things]
    assert set(definitions) == set(exported)


def test_the_passwords_for_development_are_those_that_compose_yaml_uses(definitions: dict[str, Any]) -> None:
    hash_password = runpy.run_path(str(FOLDER / "hash_password.py"))["hash_password"]
    for user in definitions["users"]:
        salt = base64.b64decode(user["password_hash"])[:4]
        assert user["password_hash"] == hash_password(f"{user['name']}-development", salt)


def test_a_broker_that_loaded_them_lacks_nothing_and_the_provisioner_finds_nothing_other(
    loaded: Loaded, bookstore_topology: Topology
) -> None:
    assert missing(loaded.options("provisioner"), bookstore_topology) == []
    declare(loaded.options("provisioner"), bookstore_topology)


@pytest.mark.parametrize("user", ["relay", *SERVICES])
def test_a_daemon_can_look_for_the_topology_but_not_change_it(
    user: str, loaded: Loaded, bookstore_topology: Topology
) -> None:
    options = loaded.options(user)
    assert missing(options, bookstore_topology) == []
    with pytest.raises(TopologyMismatch, match="may not declare"):
        declare(options, Topology((), (Queue("bookstore.other", {"x-queue-type": "quorum"}),), ()))


def test_what_the_relay_publishes_reaches_the_consumer_that_asked_for_it(loaded: Loaded) -> None:
    assert _publish(loaded.options("relay"), EVENTS, PUBLISHED) == CONFIRMED
    assert _next_id(loaded.options(EMAIL), EMAIL) == PUBLISHED


def test_the_relay_publishes_the_bookstores_events_only(loaded: Loaded) -> None:
    assert _publish(loaded.options("relay"), EVENTS, "accounts.user.deleted.v1").state == "refused"
    for exchange in (REQUEUE, LOST, rung(1)):
        with pytest.raises(Unavailable, match="access to exchange"):
            _publish(loaded.options("relay"), exchange, EMAIL)


@pytest.mark.parametrize("user", SERVICES)
def test_a_consumer_retries_into_its_own_queue_and_no_other(user: str, loaded: Loaded) -> None:
    [other] = set(SERVICES) - {user}
    assert _publish(loaded.options(user), rung(1), user) == CONFIRMED
    assert _next_id(loaded.options(user), user) == user
    assert _publish(loaded.options(user), rung(1), other).state == "refused"


@pytest.mark.parametrize("user", SERVICES)
def test_a_consumer_can_neither_publish_events_nor_read_another_queue(user: str, loaded: Loaded) -> None:
    [other] = set(SERVICES) - {user}
    for exchange in (EVENTS, REQUEUE, LOST):
        with pytest.raises(Unavailable, match="access to exchange"):
            _publish(loaded.options(user), exchange, DELETED)
    with pytest.raises(Unavailable):
        _next_id(loaded.options(user), other)


def test_a_consumer_sees_how_many_messages_wait_in_its_queue(loaded: Loaded) -> None:
    _publish(loaded.options("relay"), EVENTS, DELETED)
    with _publisher(loaded.options(DELETION)) as publisher:
        assert wait_for(lambda: publisher.depth(DELETION)) == 1


@contextmanager
def _publisher(options: Options) -> Iterator[Publisher]:
    publisher = Publisher(options)
    try:
        yield publisher
    finally:
        publisher.close(2)


def _publish(options: Options, exchange: str, key: str) -> Outcome:
    with _publisher(options) as publisher:
        [outcome] = publisher.publish([Message(destination=exchange, routing_key=key, body=b"{}", id=key)])
    return outcome


def _next_id(options: Options, queue: str) -> str:
    """The id of the next message in the queue, which is taken. Raises Unavailable where it may not be read."""
    subscriber = Subscriber(options, Queue(queue), prefetch=1, retries=Publisher(options))
    try:
        delivery = next(delivery for delivery in subscriber.deliveries(0.1) if delivery is not None)
        delivery.ack()
        return delivery.message.id
    finally:
        subscriber.close(2)


def _without_password(thing: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in thing.items() if name != "password_hash"}


def _is_the_administrators(thing: dict[str, Any]) -> bool:
    return "admin" in (thing.get("user"), thing.get("tags") and thing.get("name"))
