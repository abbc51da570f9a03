"""A pika connection that no message can break, and how it is to be made."""

from __future__ import annotations

import ssl
import struct
from typing import Any

import pika
from pika import frame, spec
from pika.adapters.select_connection import SelectConnection
from pika.exceptions import ChannelClosedByBroker

from eventbridge.transports import Options
from eventbridge.transports.rabbitmq.connection import APPLY, NOT_FOUND, Endpoint, client_properties


class Wire(SelectConnection):  # type: ignore[misc]
    """pika cannot read every header that RabbitMQ carries: a date in the year 36 billion makes it raise.

    The link would be lost to such a message again and again (pika/data.py, decode_value). It gets
    through without its properties instead, for the consumer to judge.
    """

    def _read_frame(self) -> Any:
        try:
            return super()._read_frame()
        except Exception:
            kind, channel, size = struct.unpack_from(">BHL", self._frame_buffer)
            if kind != spec.FRAME_HEADER:
                raise
            (body_size,) = struct.unpack_from(">Q", self._frame_buffer, spec.FRAME_HEADER_SIZE + 4)
            end = spec.FRAME_HEADER_SIZE + size + spec.FRAME_END_SIZE
            return end, frame.Header(channel, body_size, spec.BasicProperties())


def parameters(broker: Endpoint, options: Options) -> pika.ConnectionParameters:
    """One attempt at this broker, bounded by ``connect_timeout``."""
    return pika.ConnectionParameters(
        host=broker.host,
        port=broker.port,
        virtual_host=broker.vhost,
        credentials=pika.PlainCredentials(broker.user, broker.password),
        heartbeat=options.heartbeat,
        ssl_options=_tls(broker, options) if broker.checked_name else None,
        connection_attempts=1,
        socket_timeout=options.connect_timeout,
        stack_timeout=options.connect_timeout,
        blocked_connection_timeout=options.confirm_timeout,
        client_properties=client_properties(options, "subscriber"),
        tcp_options={"TCP_USER_TIMEOUT": round(options.confirm_timeout * 1000)},
    )


def _tls(broker: Endpoint, options: Options) -> pika.SSLOptions:
    """The default context checks the chain and the name."""
    context = ssl.create_default_context(cafile=options.tls.get("ca"))
    if "cert" in options.tls:
        context.load_cert_chain(options.tls["cert"], options.tls.get("key"))
    return pika.SSLOptions(context, broker.checked_name)


def reason(error: BaseException) -> str:
    """What to tell people of pika's error: what the broker said, if anything."""
    if isinstance(error, ChannelClosedByBroker):
        return f"{error.reply_text}: {APPLY}" if error.reply_code == NOT_FOUND else str(error.reply_text)
    causes = getattr(error, "exceptions", None) or filter(None, [getattr(error, "exception", None)])
    return "; ".join(reason(cause) for cause in causes) or str(error) or type(error).__name__
