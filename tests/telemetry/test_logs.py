"""Logs as JSON: of a real daemon, and what a record may hold."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from eventbridge import emit_many, telemetry
from eventbridge.errors import Reject
from eventbridge.event import Event, cause
from eventbridge.logs import JsonFormatter
from eventbridge.redaction import told
from tests.services.processes import Process
from tests.services.waiting import wait_for
from tests.telemetry.shop_consumers import Asked, Nobody, consumer

Start = Callable[..., Process]
EVENT: Event[None] = Event(
    id="01",
    source="/shop",
    type="a.b.v1",
    data=None,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


@pytest.mark.django_db(transaction=True, databases=["default", "archive"])
def test_every_line_of_a_daemon_is_a_json_object_that_says_which_event(daemon: Start):
    process = daemon("eventbridge", "consume", "tests.telemetry.shop_consumers", "--log-format", "json")
    process.wait_for_output("telemetry.asked is ready")
    relay = daemon("eventbridge", "relay", "--log-format", "json", "--health-address", "")
    events = emit_many([Asked(text="fine, in json"), Asked(text="bad, in json", reject=True), Nobody()])

    def lines() -> list[dict[str, Any]]:
        written = [*process.output.splitlines(), *relay.output.splitlines()]
        return [json.loads(line) for line in written if line.endswith("}")]

    def outcomes() -> dict[str, dict[str, Any]]:
        ours = [line for line in lines() if line.get("consumer") != "telemetry.placid"]
        return {line["outcome"]: line for line in ours if "outcome" in line}

    wait_for(lambda: set(outcomes()) == {"handled", "dead", "parked"}, 20, what="three outcomes")
    handled, dead, parked = (outcomes()[name] for name in ("handled", "dead", "parked"))
    assert (handled["event_id"], handled["type"], handled["attempt"]) == (events[0].id, events[0].type, 1)
    assert (handled["level"], handled["consumer"]) == ("INFO", "telemetry.asked")
    assert handled["duration_ms"] < 5000
    assert (dead["event_id"], dead["level"], dead["reason"]) == (events[1].id, "ERROR", "rejected")
    assert dead["error.type"] == "eventbridge.errors.Reject"
    assert (parked["event_id"], parked["level"]) == (events[2].id, "ERROR")
    assert {"consumer telemetry.asked", "relay default"} <= {line.get("daemon") for line in lines()}
    for line in lines():
        assert abs((datetime.now(UTC) - datetime.fromisoformat(line["time"])).total_seconds()) < 60
    process.terminate()
    assert process.wait() == 0
    assert all(line.startswith("{") and line.endswith("}") for line in process.output.splitlines())


@pytest.mark.django_db(transaction=True, databases=["default", "archive"])
def test_without_being_asked_the_log_is_text(daemon: Start):
    process = daemon("eventbridge", "relay", "--health-address", "")
    process.wait_for_output("INFO     relay default is ready")
    assert "{" not in process.output


def test_a_form_that_is_none_is_refused():
    with pytest.raises(CommandError, match="invalid choice: 'xml'"):
        call_command("eventbridge", "relay", "--log-format", "xml")


# --- without a process -----------------------------------------------------------------------------


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> Callable[[], dict[str, Any]]:
    """The last record, as JSON."""
    caplog.set_level(logging.DEBUG, "eventbridge")

    def read() -> dict[str, Any]:
        line = JsonFormatter().format(caplog.records[-1])
        assert line.isascii()
        assert len(line.splitlines()) == 1
        return dict(json.loads(line))

    return read


def test_a_retry_says_what_was_raised_and_when_it_comes_again(written):
    error = {"consumer": consumer, "event": EVENT, "message": EVENT, "attempt": 2, "after": 30}
    telemetry.retried.send(None, **error, error=TimeoutError("slow"))
    line = written()
    assert (line["level"], line["outcome"], line["attempt"], line["after"]) == ("WARNING", "retried", 2, 30)
    assert line["error.type"] == "TimeoutError"
    assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert "traceparent" not in line


def test_what_is_redacted_says_what_it_is_and_no_more(written):
    error = {"consumer": consumer, "event": EVENT, "message": EVENT, "attempt": 2, "after": 30}
    telemetry.retried.send(None, **error, error=told(Reject("secret"), ["email"]))
    assert written()["error.type"] == "eventbridge.errors.Reject"
    assert "secret" not in json.dumps(written())


def test_a_batch_of_the_relay_is_one_line_for_those_who_debug(written):
    telemetry.relayed.send(None, entries=[1, 2, 3], seconds=0.0123)
    line = written()
    assert (line["level"], line["outcome"], line["count"], line["duration_ms"]) == ("DEBUG", "relayed", 3, 12.3)


def test_what_a_handler_writes_says_which_event_it_handles(written):
    token = cause.set(EVENT)
    logging.getLogger("eventbridge.shop").warning("one\ntwo \x1b[31m\u202e%s", "three")
    line = written()
    cause.reset(token)
    assert (line["event_id"], line["type"], line["logger"]) == ("01", "a.b.v1", "eventbridge.shop")
    assert line["message"] == "one\ntwo \x1b[31m\u202ethree"
    logging.getLogger("eventbridge.shop").warning("later")
    assert "event_id" not in written()


def test_an_exception_is_a_field_with_its_stack(written):
    try:
        raise ValueError("no\nstock")
    except ValueError:
        logging.getLogger("eventbridge").exception("failed")
    line = written()
    assert (line["message"], line["error.type"]) == ("failed", "ValueError")
    assert line["stack"].endswith("ValueError: no\nstock")


def test_a_traceparent_that_is_none_is_no_trace(written):
    telemetry.duplicate.send(
        None, consumer=consumer, event=Event(id="1", source="/", type="a", data=None, traceparent="x")
    )
    assert "trace_id" not in written()
