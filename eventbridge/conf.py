"""The settings: one dict, ``EVENTBRIDGE``, read live. Every key has a default for development."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from django.conf import settings as django_settings


class Settings:
    """Annotated attributes are the keys and their defaults. Times are in seconds.

    Read them from any thread; nothing is cached, so tests may override ``EVENTBRIDGE``.
    """

    BROKER_URL: str = "database://"
    """``database://[alias]``, ``amqp://`` or ``amqps://``; several AMQP URLs, with ``;`` between."""
    BROKER_TLS: Mapping[str, str] = {}
    """For amqps: ``ca`` (file of certificates to trust), ``cert``, ``key``, ``server_hostname``."""
    SOURCE: str = "/django"
    """CloudEvents' ``source``: a URI-reference that names this service, such as ``/bookstore``."""
    SCHEMA_URL: str = ""
    """Where the JSON Schemas are served; ``dataschema`` is this, the type's name and ``.json``."""
    CONSUMERS: Sequence[str] = ()
    """The modules that ``eventbridge consume`` runs when it is given none."""
    AUTO_DECLARE: bool = True
    """Whether daemons create what is missing on the broker. In production: False, and ``topology``."""
    MAX_EVENT_BYTES: int = 1024 * 1024
    """The largest encoded event that ``emit`` takes."""
    RELAY_BATCH: int = 1_000
    """Events that the relay publishes and deletes at a time."""
    RELAY_LEASE: float = 15.0
    """A relay that died is replaced after so long."""
    CONFIRM_TIMEOUT: float = 6.0
    """How long the broker may take to confirm a batch. Less than half of RELAY_LEASE."""
    POLL_INTERVAL: float = 0.05
    """The longest pause between two looks of a relay into the outbox where nobody can wake it."""
    HEARTBEAT: int = 10
    """AMQP heartbeat: a dead link is noticed within three of them."""
    SHUTDOWN_TIMEOUT: float = 25.0
    """How long a daemon may take to finish what runs after SIGTERM."""
    HEALTH_ADDRESS: str = "127.0.0.1:0"
    """Where a daemon serves its health by HTTP. Port 0: a free one, which ``status`` shows. Empty: nowhere."""
    STUCK_AFTER: float = 60.0
    """A loop of a daemon that has not turned for so long is stuck: /livez and systemd's watchdog say so."""
    LOG_FORMAT: Literal["text", "json"] = "text"
    """How daemons write their log: as ``LOGGING`` says, or a JSON object a line."""
    METRICS: bool = False
    """Whether processes that start count for Prometheus, and daemons serve /metrics (``eventbridge[prometheus]``)."""
    TRACES: Literal["off", "parent", "link"] = "off"
    """OpenTelemetry's spans (``eventbridge[opentelemetry]``): one trace from emit to the last handler (``parent``), or
    one for each step, linked to those before (``link``)."""
    INBOX_RETENTION: float = 30 * 86400.0
    """How long the inbox remembers handled events: longer than any redelivery or replay."""
    TRAIL: bool = False
    """Whether processes that start write down what happens to each event, for the admin's pages."""
    TRAIL_SAMPLE: float = 1.0
    """The share of events that the trail follows, from above 0 to 1."""
    TRAIL_RETENTION: float = 7 * 86400.0
    """How long the trail is kept."""

    def __getattribute__(self, name: str) -> Any:
        if not name.isupper():
            return super().__getattribute__(name)
        given = getattr(django_settings, "EVENTBRIDGE", {})
        return given[name] if isinstance(given, Mapping) and name in given else super().__getattribute__(name)


settings = Settings()
