"""TLS by both clients: the authority and the host's name are checked."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from eventbridge.consumer import Consumer
from eventbridge.errors import Unavailable
from tests.contract.bench import take


class Terminator:
    """Speaks TLS with the client and passes on the plain bytes to the broker."""

    def __init__(self, certificates, target):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = [self._listener]
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            secure = self._context.wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            return
        server = socket.create_connection(self._target)
        self._open += [secure, server]
        threading.Thread(target=self._pump, args=(secure, server), daemon=True).start()
        self._pump(server, secure)

    @staticmethod
    def _pump(source, target):
        with suppress(OSError, ValueError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                socket.socket.shutdown(end, socket.SHUT_RDWR)

    def close(self):
        for each in self._open:
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def port(certificates, vhost):
    parts = urlsplit(vhost.url)
    terminator = Terminator(certificates, (parts.hostname, parts.port))
    yield terminator.port
    terminator.close()


@pytest.fixture
def secure(port, vhost, certificates, make_bench):
    """A bench by way of TLS, to this host, with these TLS options."""

    def make(host, **tls):
        parts = urlsplit(vhost.url)
        options = {"ca": str(certificates / "ca.pem"), **tls}
        who = f"{parts.username}:{parts.password}"
        return make_bench(f"amqps://{who}@{host}:{port}{parts.path}", tls=options, connect_timeout=3)

    return make


def test_everything_works_by_tls(secure):
    """kombu makes 127.0.0.1 of localhost before it fills in the name to check: the name must be given."""
    bench = secure("localhost")
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a", "b")
    subscriber = bench.subscriber(consumer)
    for delivery in take(subscriber, 2):
        delivery.retry(1)
    for delivery in take(subscriber, 2):
        delivery.ack()
    subscriber.close(2)
    assert bench.publisher.depth(consumer.name) == 0


def test_a_publisher_knows_when_the_brokers_certificate_ends_and_still_after_the_link_is_lost(secure):
    bench = secure("localhost")
    assert bench.publisher.certificate_ends is None
    bench.consumer("shop.mail", "#")
    bench.publish("a")
    bench.publisher._drop()
    assert 0 < bench.publisher.certificate_ends - time.time() <= 2 * 86_400


def test_without_tls_no_certificate_ends(make_bench):
    bench = make_bench()
    bench.consumer("shop.mail", "#")
    bench.publish("a")
    assert bench.publisher.certificate_ends is None


def test_the_name_to_check_can_be_given(secure):
    bench = secure("127.0.0.1", server_hostname="localhost")
    consumer = bench.consumer("shop.mail", "#")
    bench.publish("a")
    assert len(take(bench.subscriber(consumer), 1)) == 1


@pytest.mark.parametrize(
    ("host", "tls"),
    [
        ("127.0.0.1", {}),
        ("localhost", {"server_hostname": "another.example"}),
        ("localhost", {"ca": "other-ca.pem"}),
    ],
    ids=["another host", "another name", "another authority"],
)
def test_another_certificate_is_refused_by_both_clients(secure, certificates, host, tls):
    """py-amqp checks no name at all unless it is given one."""
    if "ca" in tls:
        tls = {"ca": str(certificates / tls["ca"])}
    bench = secure(host, **tls)
    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        bench.publisher.publish([bench.message("a")])
    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        take(bench.subscriber(Consumer("shop.mail")), 1)
