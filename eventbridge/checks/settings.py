"""Settings: the keys, types and values of ``EVENTBRIDGE``."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage

from eventbridge.checks import broker, findings
from eventbridge.checks.kinds import in_words, is_a
from eventbridge.conf import Settings, settings
from eventbridge.server import place_of

_LARGEST_MESSAGE = 16 * 1024 * 1024


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Keys, types and values of ``EVENTBRIDGE``."""
    given = getattr(django_settings, "EVENTBRIDGE", {})
    if not isinstance(given, dict):
        return [findings.error(1, "EVENTBRIDGE is not a dict.", "Write EVENTBRIDGE = {'SOURCE': '/shop', …}.")]
    kinds = typing.get_type_hints(Settings)
    unknown = [
        findings.error(1, f"EVENTBRIDGE has no key {key!r}.", f"Its keys are {', '.join(kinds)}.")
        for key in given
        if key not in kinds
    ]
    unusable = {key: problem for key in kinds if key in given and (problem := _bad_kind(key, given[key], kinds[key]))}
    return [*unknown, *unusable.values(), *_bad_values(given, set(unusable))]


def _bad_kind(key: str, value: Any, kind: Any) -> CheckMessage | None:
    if not is_a(value, kind):
        what = f"a {type(value).__name__}" if key == "BROKER_URL" else repr(value)  # it may hold a password
        return findings.error(2, f"EVENTBRIDGE[{key!r}] is {what}; it must be {in_words(kind)}.")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 0:
        return findings.error(2, f"EVENTBRIDGE[{key!r}] is {value!r}; it must be more than 0.")
    return None


def _bad_values(given: dict[str, Any], unusable: set[str]) -> Iterator[CheckMessage]:
    """What else is wrong, looking only at keys whose own value can be used."""
    looks = [
        ({"BROKER_URL"}, broker.bad_broker()),
        ({"BROKER_URL", "BROKER_TLS"}, broker.unused_tls()),
        ({"BROKER_TLS"}, broker.bad_tls()),
        ({"CONFIRM_TIMEOUT", "RELAY_LEASE"}, _bad_times()),
        ({"MAX_EVENT_BYTES"}, _bad_size()),
        ({"SOURCE"}, _bad_source()),
        ({"SOURCE", "BROKER_URL"}, _absent_source(given)),
        ({"TRAIL_SAMPLE"}, _bad_trail()),
        ({"HEALTH_ADDRESS"}, _bad_health()),
        ({"METRICS"}, _bad_metrics()),
        ({"TRACES"}, _bad_traces()),
    ]
    for keys, problems in looks:
        if not keys & unusable:
            yield from problems


def _bad_times() -> Iterator[CheckMessage]:
    if settings.CONFIRM_TIMEOUT >= settings.RELAY_LEASE / 2:
        text = "EVENTBRIDGE['CONFIRM_TIMEOUT'] is not less than half of RELAY_LEASE."
        yield findings.error(4, text, "A relay could publish after another one has taken over.")


def _bad_size() -> Iterator[CheckMessage]:
    if settings.MAX_EVENT_BYTES > _LARGEST_MESSAGE:
        text = "EVENTBRIDGE['MAX_EVENT_BYTES'] is more than the 16 MiB that RabbitMQ 4 accepts."
        yield findings.warning(5, text, "Events that large would be parked in the outbox.")


def _bad_source() -> Iterator[CheckMessage]:
    if not settings.SOURCE or " " in settings.SOURCE:
        yield findings.error(6, f"EVENTBRIDGE['SOURCE'] is {settings.SOURCE!r}, which is no URI-reference.")


def _absent_source(given: dict[str, Any]) -> Iterator[CheckMessage]:
    if "SOURCE" not in given and not settings.BROKER_URL.startswith("database"):
        hint = "Name this service, such as '/bookstore': receivers tell events apart by source and id."
        yield findings.warning(6, "EVENTBRIDGE['SOURCE'] is not set.", hint)


def _bad_trail() -> Iterator[CheckMessage]:
    if settings.TRAIL_SAMPLE > 1:
        text = f"EVENTBRIDGE['TRAIL_SAMPLE'] is {settings.TRAIL_SAMPLE!r}; it is a share of all events."
        yield findings.error(8, text, "Write 1 for all of them, 0.01 for one in a hundred.")


def _bad_health() -> Iterator[CheckMessage]:
    try:
        place_of(settings.HEALTH_ADDRESS or "127.0.0.1:0")
    except ValueError as error:
        yield findings.error(7, f"EVENTBRIDGE['HEALTH_ADDRESS']: {error}.")


def _bad_metrics() -> Iterator[CheckMessage]:
    if settings.METRICS and not find_spec("prometheus_client"):
        text = "EVENTBRIDGE['METRICS'] is on, but prometheus-client is not installed."
        yield findings.error(9, text, "Install eventbridge[prometheus].")


def _bad_traces() -> Iterator[CheckMessage]:
    if settings.TRACES != "off" and not find_spec("opentelemetry"):
        text = "EVENTBRIDGE['TRACES'] is on, but opentelemetry-api is not installed."
        yield findings.error(9, text, "Install eventbridge[opentelemetry].")
