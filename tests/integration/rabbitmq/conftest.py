"""RabbitMQ, and what only AMQP can do to us."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import kombu
import pytest

from tests.contract.bench import Bench
from tests.services.rabbitmq import RabbitMQ, Vhost

MakeBench = Callable[..., Bench]
_PASSWORD = "rights-battery-staple"


@pytest.fixture
def make_bench(vhost: Vhost) -> Iterator[MakeBench]:
    """A bench with options of one's own, and by another way to the broker: ``make_bench(url, heartbeat=1)``."""
    made = []

    def make(url: str = vhost.url, **options: Any) -> Bench:
        made.append(Bench(url, **options))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """The bench, on a good network."""
    return make_bench()


@pytest.fixture
def channel(vhost: Vhost) -> Iterator[Any]:
    """An administrator's channel on the same virtual host."""
    with kombu.Connection(vhost.url) as connection:
        yield connection.default_channel


@pytest.fixture
def user(broker: RabbitMQ, vhost: Vhost) -> Iterator[Callable[..., str]]:
    """Makes a user with these rights, ``user("relay", configure, write, read)``; its URL."""
    with _users(broker, vhost) as make:
        yield make


@contextmanager
def _users(broker: RabbitMQ, vhost: Vhost) -> Iterator[Callable[..., str]]:
    made = []

    def make(name: str, configure: str, write: str, read: str, topics: str = "") -> str:
        user = f"{name}-{vhost.name}"
        broker.ctl("add_user", user, _PASSWORD)
        made.append(user)
        broker.ctl("set_permissions", "-p", vhost.name, user, configure, write, read)
        if topics:
            broker.ctl("set_topic_permissions", "-p", vhost.name, user, "eventbridge.events", topics, ".*")
        return vhost.as_user(user, _PASSWORD)

    yield make
    for user in made:
        broker.ctl("delete_user", user)
