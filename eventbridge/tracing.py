"""Traces: OpenTelemetry's spans of an event's way, create → publish → process. Off, unless ``TRACES`` is on.

Receivers of our own signals. The context in which an event was created is its ``traceparent`` attribute, and never
changes; that of the last span before a hop travels in the header of that name. No span holds what an event or an
exception says. https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/ and …/messaging-spans/
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, MutableMapping, Sequence
from contextvars import Token
from dataclasses import replace
from itertools import zip_longest
from typing import Any, cast

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from eventbridge import __version__, telemetry
from eventbridge.conf import settings
from eventbridge.consumer import Consumer
from eventbridge.event import Event, emitted_at
from eventbridge.topology import EVENTS
from eventbridge.transports import Message, Outcome
from eventbridge.wire import SPECVERSION

tracer = trace.get_tracer("eventbridge", __version__)
_w3c = TraceContextTextMapPropagator()
HEADERS = ("traceparent", "tracestate")
_here = threading.local()
"""``spans``: of the batch that this thread is publishing."""
_running: dict[tuple[int, int], tuple[Span, Token[Context]]] = {}
"""By thread and message: the span of the handler that runs there."""


def _on_creating(sender: Any, events: list[Event[Any]], **kwargs: Any) -> None:
    for number, event in enumerate(events):
        span = tracer.start_span(
            f"create {EVENTS}:{event.type}", kind=SpanKind.PRODUCER, attributes=_about(event, "create", "create")
        )
        span.end()
        if traceparent := _told(span).get("traceparent"):
            events[number] = replace(event, traceparent=traceparent)


def _on_publishing(sender: Any, messages: Sequence[Message], **kwargs: Any) -> None:
    _here.spans = [_publishing(message) for message in messages]


def _publishing(message: Message) -> Span:
    attributes = {
        **_messaging("publish", "send", f"{EVENTS}:{message.routing_key}", message.routing_key),
        "messaging.message.id": message.id,
        "eventbridge.outbox.wait_seconds": max(0.0, time.time() - emitted_at(message.id)),
    }
    span = _start(f"publish {EVENTS}:{message.routing_key}", SpanKind.CLIENT, message.headers, attributes)
    cast("MutableMapping[str, Any]", message.headers).update(_told(span))
    return span


def _on_published(sender: Any, outcomes: Sequence[Outcome | None], **kwargs: Any) -> None:
    spans, _here.spans = getattr(_here, "spans", []), []
    for span, outcome in zip_longest(spans, outcomes):
        state = outcome.state if outcome else "unanswered"
        _end(span, "" if state == "confirmed" else state)


def _on_began(
    sender: Any, consumer: Consumer, event: Event[Any], message: Message, attempt: int, **kwargs: Any
) -> None:
    where = ":".join(dict.fromkeys((EVENTS, event.type, consumer.name)))
    attributes = {
        **_about(event, "process", "process", where),
        "messaging.consumer.group.name": consumer.name,
        "eventbridge.attempt": attempt,
    }
    origin = {"traceparent": event.traceparent} if event.traceparent else {}
    came_by = message.headers if "traceparent" in message.headers else origin
    span = _start(f"process {where}", SpanKind.CONSUMER, came_by, attributes, origin)
    _running[threading.get_ident(), id(message)] = span, attach(trace.set_span_in_context(span))


def _on_ended(sender: Any, message: Message, error: str, **kwargs: Any) -> None:
    if running := _running.pop((threading.get_ident(), id(message)), None):
        span, token = running
        detach(token)
        _end(span, error)


# --- spans ---------------------------------------------------------------------------------------


def _start(
    name: str,
    kind: SpanKind,
    came_by: Mapping[str, Any],
    attributes: Mapping[str, Any],
    origin: Mapping[str, Any] | None = None,
) -> Span:
    """A child of the span that the headers name; or one that is linked to it, in a trace of its own.

    In either case it is linked to the ``origin``, too, if that is another one.
    """
    before, first = (_context_of(headers) for headers in (came_by, origin or {}))
    linking = settings.TRACES == "link"
    parent = None if linking else before
    context = trace.set_span_in_context(trace.NonRecordingSpan(parent)) if parent else Context()
    others = {span.span_id: span for span in (before, first) if span and span != parent}
    return tracer.start_span(name, context, kind, cast("Any", attributes), [Link(span) for span in others.values()])


def _context_of(headers: Mapping[str, Any]) -> trace.SpanContext | None:
    told = {name: value for name in HEADERS if isinstance(value := headers.get(name), str)}  # anybody may have sent it
    found = trace.get_current_span(_w3c.extract(told, Context())).get_span_context()
    return found if found.is_valid else None


def _told(span: Span) -> dict[str, str]:
    """``traceparent`` and ``tracestate``, as headers; nothing where there is no SDK, and nothing came."""
    headers: dict[str, str] = {}
    _w3c.inject(headers, trace.set_span_in_context(span, Context()))
    return headers


def _end(span: Span, error: str) -> None:
    if error:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)
    span.end()


def _about(event: Event[Any], name: str, kind: str, where: str = "") -> dict[str, Any]:
    about = {
        **_messaging(name, kind, where or f"{EVENTS}:{event.type}", event.type),
        "messaging.message.id": event.id,
        "messaging.message.conversation_id": event.correlationid,
        "cloudevents.event_id": event.id,
        "cloudevents.event_source": event.source,
        "cloudevents.event_type": event.type,
        "cloudevents.event_spec_version": SPECVERSION,
    }
    return {key: value for key, value in about.items() if value is not None}


def _messaging(name: str, kind: str, where: str, routing_key: str) -> dict[str, Any]:
    return {
        "messaging.system": telemetry.system(),
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "messaging.destination.name": where,
        "messaging.rabbitmq.destination.routing_key": routing_key,
    }


_RECEIVERS = (
    (telemetry.creating, _on_creating),
    (telemetry.publishing, _on_publishing),
    (telemetry.published, _on_published),
    (telemetry.began, _on_began),
    (telemetry.ended, _on_ended),
)


def connect() -> None:
    """Trace in this process, from now on."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver)


def disconnect() -> None:
    """Trace no more."""
    for signal, receiver in _RECEIVERS:
        signal.disconnect(receiver)
