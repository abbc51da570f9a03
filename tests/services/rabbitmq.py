"""A RabbitMQ to test against: given by its URL, private, in a container, or installed first."""

import base64
import json
import os
import secrets
import shutil
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import amqp
import kombu

from tests.services.absence import absent
from tests.services.choice import choose
from tests.services.containers import ContainerHost, have_image
from tests.services.debian import install
from tests.services.declared import Declared
from tests.services.hosts import Elsewhere, Host, NotAvailable, PrivateProcess, free_port, listens
from tests.services.proxy import Proxy
from tests.services.secrecy import SECRECY
from tests.services.waiting import wait_for

URL_VARIABLE = "EVENTBRIDGE_TEST_BROKER_URL"
MANAGEMENT_VARIABLE = "EVENTBRIDGE_TEST_BROKER_MANAGEMENT_URL"


class Management:
    """The few verbs of RabbitMQ's HTTP interface that tests need. Its figures of rates and sizes lag by seconds."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def put(self, path: str, body: Any = None) -> Any:
        if body and body.get("password"):
            SECRECY.keep(body["password"])
        return self._ask("PUT", path, body or {})

    def post(self, path: str, body: Any = None) -> Any:
        return self._ask("POST", path, body or {})

    def delete(self, path: str) -> Any:
        return self._ask("DELETE", path)

    def answers(self) -> bool:
        try:
            self.get("/whoami")
        except OSError:
            return False
        return True

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api{path}", data, self._headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 (our own server)
            answer = response.read()
        return json.loads(answer) if answer else None


@dataclass(frozen=True)
class Vhost:
    """A virtual host where a test is alone."""

    name: str
    url: str
    management: Management | None

    def as_user(self, user: str, password: str) -> str:
        """Its URL for somebody else."""
        SECRECY.keep(password)
        place = self.url.rpartition("@")[2]
        return f"amqp://{quote(user, safe='')}:{quote(password, safe='')}@{place}"

    def queues(self) -> list[str]:
        """The names of its queues, sorted."""
        return sorted(queue["name"] for queue in self._ask("queues"))

    def exchanges(self) -> dict[str, str]:
        """Its own exchanges, by name, with their types."""
        return {item["name"]: item["type"] for item in self._ask("exchanges") if not _predeclared(item["name"])}

    def bindings(self) -> list[tuple[str, str, str]]:
        """(exchange, routing key, destination) of every binding but the default exchange's, sorted."""
        found = [(item["source"], item["routing_key"], item["destination"]) for item in self._ask("bindings")]
        return sorted(binding for binding in found if binding[0])

    def depth(self, queue: str) -> int:
        """How many messages are ready in the queue, by the broker's own count of now."""
        with kombu.Connection(self.url) as connection:
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)

    def _ask(self, kind: str) -> Any:
        if not self.management:
            absent("this broker has no management interface to ask")
        return self.management.get(f"/{kind}/{quote(self.name, safe='')}")


class RabbitMQ:
    """A running RabbitMQ, and what tests do to it."""

    def __init__(self, host: Host, url: str, management_url: str) -> None:
        parts = urlsplit(url)
        user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
        SECRECY.keep_those_of(url)
        self.host = host
        self.url = url
        self.management = Management(management_url, user, password)
        self.name = "RabbitMQ"

    @property
    def how(self) -> str:
        return self.host.how

    @property
    def version(self) -> str:
        with kombu.Connection(self.url) as connection:
            return str(connection.connection.server_properties["version"])

    # --- its life ---

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.host.start()
        wait_for(self.serves, timeout=90, every=0.1, what="RabbitMQ to serve")

    def stop(self) -> None:
        """Shut it down in order, and wait."""
        self.host.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """As a power cut would."""
        self.host.kill()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing is answered. `resume` ends that."""
        self.host.pause()

    def resume(self) -> None:
        self.host.resume()

    def close(self) -> None:
        self.host.close()

    def serves(self) -> bool:
        """Whether a client can connect now."""
        connection = kombu.Connection(self.url, connect_timeout=2)
        try:
            connection.connect()
        except (OSError, amqp.exceptions.AMQPError):
            return False
        finally:
            connection.collect()
        return True

    # --- what is done to it ---

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl with these arguments (about a second); its output."""
        return self.host.run("rabbitmqctl", "--quiet", *arguments)

    def close_connections(self, vhost: str | None = None) -> None:
        """Close clients' connections from the broker's side, all or those of a virtual host."""
        scope = ["--vhost", vhost] if vhost else ["--global"]
        self.ctl("close_all_connections", *scope, "closed by a test")

    @contextmanager
    def memory_alarm(self) -> Iterator[None]:
        """While it lasts, the broker blocks every connection that publishes."""
        self.ctl("set_vm_memory_high_watermark", "0.00001")
        try:
            wait_for(lambda: "memory" in self._alarms(), timeout=20, what="the memory alarm")
            yield
        finally:
            self.clear_alarm()

    def clear_alarm(self) -> None:
        self.ctl("set_vm_memory_high_watermark", "0.6")
        wait_for(lambda: "memory" not in self._alarms(), timeout=20, what="the end of the memory alarm")

    def _alarms(self) -> str:
        return self.ctl("eval", "rabbit_alarm:get_alarms().")

    # --- a clean place for each test ---

    @contextmanager
    def vhost(self) -> Iterator[Vhost]:
        """A virtual host with nothing in it, removed afterwards.

        Without a management interface it is the URL's own, and what was declared in it is deleted afterwards.
        """
        if self.management.answers():
            with self._new_vhost() as vhost:
                yield vhost
        else:
            with self._swept_vhost() as vhost:
                yield vhost

    @contextmanager
    def _new_vhost(self) -> Iterator[Vhost]:
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.management.put(f"/vhosts/{name}")
        self._grant(name)
        try:
            yield Vhost(name, _with_path(self.url, name), self.management)
        finally:
            with suppress(OSError):  # a broker that the test left stopped has lost it with its session
                self.management.delete(f"/vhosts/{name}")

    @contextmanager
    def _swept_vhost(self) -> Iterator[Vhost]:
        parts = urlsplit(self.url)
        declared, proxy = Declared(), Proxy(parts.hostname or "127.0.0.1", parts.port or 5672)
        proxy.to_server.tap = declared.listener
        try:
            yield Vhost(unquote(parts.path[1:]) or "/", proxy.in_front_of(self.url), None)
        finally:
            proxy.close()
            declared.remove(self.url)

    def _grant(self, vhost: str) -> None:
        user = unquote(urlsplit(self.url).username or "guest")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.management.put(f"/permissions/{vhost}/{quote(user, safe='')}", everything)


def rabbitmq() -> RabbitMQ:
    """The first RabbitMQ to be had; NotAvailable, with every way's reason, if there is none."""
    url = os.environ.get(URL_VARIABLE)
    if url:
        return _given(url)
    ways = {"private": _private, "docker": _in_container, "install": _installed}
    return choose(ways, forced_by="EVENTBRIDGE_TEST_BROKER")


def _given(url: str) -> RabbitMQ:
    host = urlsplit(url).hostname
    broker = RabbitMQ(Elsewhere(URL_VARIABLE), url, os.environ.get(MANAGEMENT_VARIABLE, f"http://{host}:15672"))
    if not broker.serves():
        raise NotAvailable(f"nothing serves AMQP at {URL_VARIABLE}")
    return broker


def _private() -> RabbitMQ:
    program, password = _program(), secrets.token_urlsafe(12)
    amqp, distribution, management = free_port(), free_port(), free_port()
    host = PrivateProcess("rabbitmq")
    _configure(host.folder, amqp, management, password)
    host.env = _environment(host.folder, program.parent, distribution)
    host.command = [str(program)]
    host.start()
    broker = RabbitMQ(host, f"amqp://guest:{password}@127.0.0.1:{amqp}//", f"http://127.0.0.1:{management}")
    try:
        host.ready(lambda: listens(amqp) and broker.management.answers() and broker.serves())
    except BaseException:
        host.close()
        raise
    return broker


def _program() -> Path:
    """RabbitMQ's own start script. (Debian's wrapper of it on the PATH refuses all but two users.)"""
    places = [*Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server")]
    on_path = shutil.which("rabbitmq-server")
    if on_path:
        places.append(Path(on_path).resolve())
    for place in places:
        if (place.parent / "rabbitmq-defaults").exists():
            return place
    raise NotAvailable("rabbitmq-server is not installed")


def _configure(folder: Path, amqp: int, management: int, password: str) -> None:
    (folder / "enabled_plugins").write_text("[rabbitmq_management].")
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.default = 127.0.0.1:{amqp}\n"
        f"default_pass = {password}\n"
        f"management.tcp.ip = 127.0.0.1\n"
        f"management.tcp.port = {management}\n"
        "disk_free_limit.absolute = 50MB\n"
        "vm_memory_high_watermark.relative = 0.6\n"
    )


def _environment(folder: Path, programs: Path, distribution: int) -> dict[str, str]:
    """A node of its own: loopback only, and no epmd, which would listen everywhere and outlive it."""
    no_epmd = f"-start_epmd false -erl_epmd_port {distribution}"
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "RABBITMQ_NODENAME": f"eventbridge-{distribution}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{no_epmd} -kernel inet_dist_use_interface {{127,0,0,1}}",
        # rabbitmqctl finds the node without epmd too, and listens nowhere itself.
        "RABBITMQ_CTL_ERL_ARGS": f"-dist_listen false {no_epmd}",
    }


def _in_container() -> RabbitMQ:
    image = os.environ.get("EVENTBRIDGE_TEST_BROKER_IMAGE", "rabbitmq:4")
    have_image(image)
    from testcontainers.community.rabbitmq import RabbitMqContainer

    amqp, management, password = free_port(), free_port(), secrets.token_urlsafe(12)
    container = (
        RabbitMqContainer(image, password=password).with_bind_ports(5672, amqp).with_bind_ports(15672, management)
    )
    host = ContainerHost(container, image)
    host.launch()
    address = container.get_container_host_ip()
    broker = RabbitMQ(host, f"amqp://guest:{password}@{address}:{amqp}//", f"http://{address}:{management}")
    with suppress(RuntimeError):  # an image without the plugin: tests share the one virtual host
        host.run("rabbitmq-plugins", "enable", "rabbitmq_management")
        wait_for(broker.management.answers, timeout=30, every=0.1, what="the management interface")
    return broker


def _installed() -> RabbitMQ:
    install("rabbitmq-server")
    server = _private()
    server.host.how = "private server, installed with apt-get"
    return server


def _with_path(url: str, vhost: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(vhost, safe='')}"))


def _predeclared(exchange: str) -> bool:
    return exchange == "" or exchange.startswith("amq.")


__all__ = ["Management", "NotAvailable", "RabbitMQ", "Vhost", "rabbitmq"]
