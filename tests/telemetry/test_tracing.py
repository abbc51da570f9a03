"""An event's way as spans: by real relays and workers in this process, and through real processes."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from eventbridge import emit, emit_many, tracing
from eventbridge.assembly import declare, make_relay, open_publisher, options
from eventbridge.checks import check_settings
from eventbridge.conf import settings as ours
from eventbridge.models import OutboxEntry
from eventbridge.topology import queue_of, topology_of
from eventbridge.transports import Delivery, transport
from eventbridge.worker import Worker
from tests.services.processes import Process
from tests.services.waiting import wait_for
from tests.shop.models import Note
from tests.telemetry.shop_consumers import Asked, Nobody, Whoever, consumer

Start = Callable[..., Process]
real = pytest.mark.django_db(transaction=True, databases=["default", "archive"])
CREATE = "create eventbridge.events:telemetry.asked.v1"
PUBLISH = "publish eventbridge.events:telemetry.asked.v1"
PROCESS = "process eventbridge.events:telemetry.asked.v1:telemetry.asked"


class Spans:
    """The spans that were ended so far, by name."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def __getitem__(self, name: str) -> ReadableSpan:
        (found,) = self.all(name)
        return found

    def all(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.exporter.get_finished_spans()]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Spans]:
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRACES": "parent"}
    found = Spans()
    monkeypatch.setattr(tracing, "tracer", found.tracer)
    tracing.connect()
    yield found
    tracing.disconnect()
    assert not tracing._running


@pytest.fixture(params=["database", "amqp"])
def broker_kind(request: pytest.FixtureRequest, settings: Any) -> str:
    if request.param == "amqp":
        url = request.getfixturevalue("vhost").url
        settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": url}
    return str(request.param)


def relayed() -> None:
    relay = make_relay("default")
    wait_for(lambda: relay.poll() is not None and relay.idle, what="the outbox to be empty")
    relay.close(1)


def handled(number: int = 1) -> None:
    """As many deliveries, given to a worker, and settled."""
    retries = open_publisher()
    subscriber = transport(ours.BROKER_URL).Subscriber(options(), queue_of(consumer), prefetch=10, retries=retries)
    worker, found = Worker(consumer, threading.Event()), 0
    for delivery in subscriber.deliveries(0.1):
        found += _handle(worker, delivery)
        if found == number:
            break
    subscriber.close(2)
    retries.close(2)


def _handle(worker: Worker, delivery: Delivery | None) -> int:
    if delivery is not None:
        worker.handle([delivery])
    return delivery is not None


def id_of(span: ReadableSpan) -> tuple[int, int]:
    context = span.get_span_context()
    assert context
    return context.trace_id, context.span_id


def parent_of(span: ReadableSpan) -> tuple[int, int] | None:
    return (span.parent.trace_id, span.parent.span_id) if span.parent else None


def linked(span: ReadableSpan) -> set[tuple[int, int]]:
    return {(link.context.trace_id, link.context.span_id) for link in span.links}


def traceparent(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


# --- one trace -----------------------------------------------------------------------------------


@real
def test_one_trace_leads_from_the_request_over_create_publish_and_process_to_the_next_event(spans, broker_kind):
    declare(topology_of([consumer]))
    with spans.tracer.start_as_current_span("request"):
        event = emit(Asked(text="one", emits=True))
    relayed()
    handled()
    create, publish, process = spans[CREATE], spans[PUBLISH], spans[PROCESS]
    assert parent_of(create) == id_of(spans["request"])
    assert parent_of(publish) == id_of(create)
    assert parent_of(process) == id_of(publish)
    assert parent_of(spans["create eventbridge.events:telemetry.whoever.v1"]) == id_of(process)
    assert (linked(publish), linked(process)) == (set(), {id_of(create)})
    assert [span.kind for span in (create, publish, process)] == [SpanKind.PRODUCER, SpanKind.CLIENT, SpanKind.CONSUMER]
    assert event.traceparent == traceparent(create)


@real
def test_the_event_keeps_where_it_was_created_and_the_header_says_where_it_was_last(spans):
    declare(topology_of([consumer]))
    emit(Asked(text="one"))
    row = OutboxEntry.objects.get()
    assert json.loads(row.body)["traceparent"] == traceparent(spans[CREATE])
    assert json.loads(row.headers) == {"traceparent": traceparent(spans[CREATE])}
    relayed()
    subscriber = transport("database://").Subscriber(
        options(), queue_of(consumer), prefetch=1, retries=open_publisher()
    )
    message = next(delivery.message for delivery in subscriber.deliveries(0.1) if delivery)
    subscriber.close(0)
    assert message.headers["traceparent"] == traceparent(spans[PUBLISH])
    assert json.loads(message.body)["traceparent"] == traceparent(spans[CREATE])


@real
def test_a_span_says_what_and_where_by_opentelemetrys_names_and_nothing_that_is_private(spans, broker_kind):
    declare(topology_of([consumer]))
    event = emit(Asked(text="private"))
    relayed()
    handled()
    system = {"database": "eventbridge", "amqp": "rabbitmq"}[broker_kind]
    common = {
        "messaging.system": system,
        "messaging.message.id": event.id,
        "messaging.rabbitmq.destination.routing_key": "telemetry.asked.v1",
    }
    publish = dict(spans[PUBLISH].attributes or {})
    assert 0 <= publish.pop("eventbridge.outbox.wait_seconds") < 20
    assert publish == {
        **common,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "eventbridge.events:telemetry.asked.v1",
    }
    assert dict(spans[PROCESS].attributes or {}) == {
        **common,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "eventbridge.events:telemetry.asked.v1:telemetry.asked",
        "messaging.consumer.group.name": "telemetry.asked",
        "eventbridge.attempt": 1,
        "cloudevents.event_id": event.id,
        "cloudevents.event_source": "/shop",
        "cloudevents.event_type": "telemetry.asked.v1",
        "cloudevents.event_spec_version": "1.0",
    }
    assert "private" not in "".join(span.to_json() for span in spans.exporter.get_finished_spans())


@real
def test_an_attempt_that_fails_is_an_error_and_the_next_one_is_in_the_same_trace(spans):
    declare(topology_of([consumer]))
    emit(Asked(text="twice, by traces", fail=1))
    relayed()
    handled(2)
    first, second = spans.all(PROCESS)
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert (first.attributes or {})["error.type"] == "ValueError"
    assert [(span.attributes or {})["eventbridge.attempt"] for span in (first, second)] == [1, 2]
    assert parent_of(first) == parent_of(second) == id_of(spans[PUBLISH])
    assert not first.events  # an exception may quote anything


@real
def test_what_the_broker_does_not_take_is_an_error_of_its_own_span(spans):
    declare(topology_of([consumer]))
    emit_many([Asked(text="one"), Nobody(), Whoever()])
    relayed()
    assert spans[PUBLISH].status.status_code is StatusCode.UNSET
    nobody = spans["publish eventbridge.events:telemetry.nobody.v1"]
    assert (nobody.status.status_code, (nobody.attributes or {})["error.type"]) == (StatusCode.ERROR, "unroutable")


@real
def test_a_batch_that_is_not_answered_ends_its_spans_as_errors(spans, settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": "amqp://a:b@127.0.0.1:1//", "CONFIRM_TIMEOUT": 1}
    emit_many([Asked(text="one"), Asked(text="two")])
    relay = make_relay("default")
    relay._prepared = True
    relay.poll()
    relay.close(1)
    assert [(span.attributes or {})["error.type"] for span in spans.all(PUBLISH)] == ["unanswered"] * 2


# --- linked traces -------------------------------------------------------------------------------


@real
def test_with_links_each_step_is_a_trace_of_its_own_linked_to_those_before(spans, settings):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRACES": "link"}
    declare(topology_of([consumer]))
    emit(Asked(text="one"))
    relayed()
    handled()
    create, publish, process = spans[CREATE], spans[PUBLISH], spans[PROCESS]
    assert len({id_of(span)[0] for span in (create, publish, process)}) == 3
    assert (parent_of(publish), parent_of(process)) == (None, None)
    assert linked(publish) == {id_of(create)}
    assert linked(process) == {id_of(create), id_of(publish)}


# --- others --------------------------------------------------------------------------------------


@real
@pytest.mark.parametrize("header", ["nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", 7, None])
def test_a_header_that_is_no_trace_begins_a_new_one(spans, header):
    declare(topology_of([consumer]))
    emit(Asked(text="one"))
    OutboxEntry.objects.update(headers=json.dumps({"traceparent": header}) if header is not None else "")
    relayed()
    handled()
    assert parent_of(spans[PUBLISH]) is None
    assert parent_of(spans[PROCESS]) == id_of(spans[PUBLISH])


@real
def test_without_the_sdk_what_came_is_passed_on(settings, monkeypatch):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRACES": "parent"}
    monkeypatch.setattr(tracing, "tracer", trace.NoOpTracer())
    tracing.connect()
    try:
        declare(topology_of([consumer]))
        came = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        context = tracing._w3c.extract({"traceparent": came})
        token = tracing.attach(context)
        event = emit(Asked(text="one", emits=True))
        tracing.detach(token)
        assert event.traceparent == came
        relayed()
        handled()
        assert json.loads(OutboxEntry.objects.get().body)["traceparent"] == came
        assert emit(Whoever()).traceparent is None
    finally:
        tracing.disconnect()


@real
def test_the_trace_of_a_handler_ends_with_it(spans):
    declare(topology_of([consumer]))
    emit(Asked(text="one"))
    relayed()
    handled()
    assert not trace.get_current_span().get_span_context().is_valid


@real
@pytest.mark.timeout(120)
def test_one_trace_leads_through_real_processes(daemon: Start, tmp_path: Path):
    file = tmp_path / "spans.jsonl"
    env = {
        "DJANGO_SETTINGS_MODULE": "tests.telemetry.traced_settings",
        "SHOP_SPANS": str(file),
        "SHOP_TRACES": "parent",
    }
    daemon("eventbridge", "consume", "tests.telemetry.shop_consumers", env=env).wait_for_output(
        "telemetry.asked is ready"
    )
    daemon("eventbridge", "relay", env=env).wait_for_output("relay default is ready")
    program = (
        "from eventbridge import emit; from opentelemetry import trace\n"
        "from tests.telemetry.shop_consumers import Asked\n"
        "with trace.get_tracer('site').start_as_current_span('request'): emit(Asked(text='through processes'))"
    )
    assert daemon("shell", "-v0", "-c", program, env=env).wait() == 0
    wait_for(lambda: Note.objects.filter(text="through processes").exists(), 20, what="it to be handled")
    wait_for(lambda: PROCESS in file.read_text(), what="its span")
    found = {span["name"]: span for span in map(json.loads, file.read_text().splitlines())}
    chain = ["request", CREATE, PUBLISH, PROCESS]
    assert len({found[name]["context"]["trace_id"] for name in chain}) == 1
    parents = [found[name]["parent_id"] for name in chain]
    assert parents == [None, *(found[name]["context"]["span_id"] for name in chain[:-1])]


def test_traces_without_their_library_or_of_an_unknown_kind_are_a_checks_finding(settings, monkeypatch):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRACES": "on"}
    (problem,) = check_settings()
    assert problem.msg == "EVENTBRIDGE['TRACES'] is 'on'; it must be one of 'off', 'parent', 'link'."
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "TRACES": "link"}
    assert check_settings() == []
    monkeypatch.setattr("eventbridge.checks.settings.find_spec", lambda _: None)
    assert [problem.id for problem in check_settings()] == ["eventbridge.E009"]


def test_without_the_setting_nothing_is_imported():
    program = "import django, sys; django.setup(); import eventbridge.assembly; print('opentelemetry' in sys.modules)"
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""}
    for more, imported in (({}, "False\n"), ({"SHOP_TRACES": "parent"}, "True\n")):
        run = subprocess.run(
            [sys.executable, "-c", program], env={**env, **more}, capture_output=True, text=True, check=True
        )
        assert run.stdout == imported
