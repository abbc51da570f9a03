"""Where the brokers are, and a py-amqp connection to the first of them that answers."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import amqp
from kombu.connection import Connection

from eventbridge.errors import Unavailable
from eventbridge.transports import Options

LINK_ERRORS = (amqp.exceptions.AMQPError, OSError, ssl.SSLError)
"""What py-amqp raises when a broker, a link or a channel fails."""

APPLY = "run `manage.py eventbridge topology --apply`"
NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One broker of a BROKER_URL. ``checked_name``: the name its certificate must bear; "" is no TLS."""

    host: str
    port: int
    user: str
    password: str
    vhost: str
    checked_name: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def endpoints(options: Options) -> list[Endpoint]:
    """The brokers of ``options.url`` (several are separated by ``;``), in the order to try them.

    Raises ``ValueError`` for what would be ignored in silence: another scheme, a query string, TLS
    options without TLS.
    """
    return [_endpoint(url.strip(), options) for url in options.url.split(";") if url.strip()]


def _endpoint(url: str, options: Options) -> Endpoint:
    parts = urlsplit(url)
    if parts.scheme not in ("amqp", "amqps") or parts.query or parts.fragment:
        raise ValueError(f"BROKER_URL: write amqp(s)://user:password@host:port/vhost, not {parts.scheme}://…?…")
    secure = parts.scheme == "amqps"
    if options.tls and not secure:
        raise ValueError("BROKER_URL says amqp://, but there are TLS options: write amqps://")
    host = parts.hostname or "localhost"
    return Endpoint(
        host=host,
        port=_port(parts) or (5671 if secure else 5672),
        user=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        vhost=unquote(parts.path[1:]) or "/",
        checked_name=(options.tls.get("server_hostname") or host) if secure else "",
    )


def _port(parts: SplitResult) -> int | None:
    """Never with urllib's own words, which would quote half a password."""
    try:
        return parts.port
    except ValueError:
        raise ValueError("BROKER_URL: percent-encode special characters of user and password") from None


def client_properties(options: Options, role: str) -> dict[str, str]:
    """What the broker's own pages show of this client."""
    name = " ".join(filter(None, (options.name, role, options.app_id)))
    return {"connection_name": name, "product": "eventbridge", "app_id": options.app_id}


def connect(options: Options, role: str, extra: dict[str, Any] | None = None) -> amqp.Connection:
    """Connect by kombu to the first broker that answers.

    Every wait on the socket is bounded by ``confirm_timeout``. Raises Unavailable, which says what
    each broker answered, after at most ``confirm_timeout`` seconds.
    """
    brokers, refusals = endpoints(options), []
    until = monotonic() + options.confirm_timeout
    for position, broker in enumerate(brokers):
        patience = (until - monotonic()) / (len(brokers) - position)
        try:
            return connect_to(broker, options, role, min(options.connect_timeout, patience), extra)
        except LINK_ERRORS as error:
            refusals.append(f"{broker}: {error}")
    raise Unavailable("no broker answers: " + "; ".join(refusals))


def certificate_ends(link: amqp.Connection) -> float | None:
    """When the broker's certificate expires (seconds since the epoch). None: the link is without TLS."""
    certificate = link.sock.getpeercert() if isinstance(link.sock, ssl.SSLSocket) else None
    return ssl.cert_time_to_seconds(str(certificate["notAfter"])) if certificate else None


def connect_to(
    broker: Endpoint, options: Options, role: str, patience: float, extra: dict[str, Any] | None = None
) -> amqp.Connection:
    """Connect to this broker within so many seconds. Raises one of LINK_ERRORS."""
    client = Connection(  # type: ignore[no-untyped-call]
        # An IPv6 address must be in brackets: py-amqp splits "host:port" at the last colon.
        hostname=f"[{broker.host}]" if ":" in broker.host else broker.host,
        port=broker.port,
        userid=broker.user,
        password=broker.password,
        virtual_host=broker.vhost,
        transport="pyamqp",  # "amqp" means librabbitmq where that is installed
        ssl=_tls(broker, options) if broker.checked_name else False,
        connect_timeout=max(patience, 0.1),
        heartbeat=options.heartbeat,
        transport_options={
            "client_properties": client_properties(options, role),
            "read_timeout": options.confirm_timeout,
            "write_timeout": options.confirm_timeout,
            "socket_settings": _socket_settings(options),
            **(extra or {}),
        },
    )
    link = client.transport.establish_connection()
    # py-amqp waits for replies without a limit, and SO_RCVTIMEO does not end a wait within a frame
    # (amqp/transport.py, _read): a time-out of Python's own does.
    link.sock.settimeout(options.confirm_timeout)
    return link


def _tls(broker: Endpoint, options: Options) -> dict[str, Any]:
    """Always with the name: without it py-amqp checks none (amqp/transport.py, _wrap_socket_sni).

    kombu would fill in the host, but only after it has made 127.0.0.1 of localhost, and it would
    keep the first host's name for the next one (kombu/transport/pyamqp.py, establish_connection).
    """
    files = {"ca": "ca_certs", "cert": "certfile", "key": "keyfile"}
    given = {files[name]: path for name, path in options.tls.items() if name in files}
    return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": broker.checked_name, **given}


def _socket_settings(options: Options) -> dict[int, int]:
    """py-amqp gives up on a link that has not acknowledged a byte for one second; we are patient."""
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return {}
    return {socket.TCP_USER_TIMEOUT: round(options.confirm_timeout * 1000)}
