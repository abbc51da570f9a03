"""What ``manage.py check`` finds: every mistake that would otherwise lose an event in silence.

Each id is explained in docs/reference/checks.md.
"""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import DEFAULT_DB_ALIAS, connections, models, router
from django.db.models import signals
from django.db.models.signals import ModelSignal

from eventbridge.capture import MODEL_SIGNALS, Bridge, bridges
from eventbridge.conf import Settings, settings
from eventbridge.consumer import Consumer, consumers_in
from eventbridge.errors import EventbridgeError
from eventbridge.event import event_type_of, event_types
from eventbridge.models import OutboxEntry
from eventbridge.models.sql import SUPPORTED
from eventbridge.server import place_of
from eventbridge.topology import matches
from eventbridge.transports import SCHEMES

LONGEST_RUNG_IN_PLACE = 60.0
_LARGEST_MESSAGE = 16 * 1024 * 1024
_KINDS: dict[Any, str] = {Sequence: "list", Mapping: "dict"}
_TLS_KEYS = {"ca", "cert", "key", "server_hostname"}


def _error(number: int, text: str, hint: str = "") -> Error:
    return Error(text, hint=hint or None, id=f"eventbridge.E{number:03}")


def _warning(number: int, text: str, hint: str = "") -> Warning:
    return Warning(text, hint=hint or None, id=f"eventbridge.W{number:03}")


# --- settings ----------------------------------------------------------------------------------


@register()
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Keys, types and values of ``EVENTBRIDGE``."""
    given = getattr(django_settings, "EVENTBRIDGE", {})
    if not isinstance(given, dict):
        return [_error(1, "EVENTBRIDGE is not a dict.", "Write EVENTBRIDGE = {'SOURCE': '/shop', …}.")]
    kinds = typing.get_type_hints(Settings)
    unknown = [
        _error(1, f"EVENTBRIDGE has no key {key!r}.", f"Its keys are {', '.join(kinds)}.")
        for key in given
        if key not in kinds
    ]
    unusable = {key: problem for key in kinds if key in given and (problem := _bad_kind(key, given[key], kinds[key]))}
    return [*unknown, *unusable.values(), *_bad_values(given, set(unusable))]


def _bad_kind(key: str, value: Any, kind: Any) -> CheckMessage | None:
    if not _is_a(value, kind):
        what = f"a {type(value).__name__}" if key == "BROKER_URL" else repr(value)  # it may hold a password
        return _error(2, f"EVENTBRIDGE[{key!r}] is {what}; it must be {_what(kind)}.")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 0:
        return _error(2, f"EVENTBRIDGE[{key!r}] is {value!r}; it must be more than 0.")
    return None


def _bad_values(given: dict[str, Any], unusable: set[str]) -> Iterator[CheckMessage]:
    """What else is wrong, looking only at keys whose own value can be used."""
    looks = [
        ({"BROKER_URL"}, _bad_broker()),
        ({"BROKER_URL", "BROKER_TLS"}, _unused_tls()),
        ({"BROKER_TLS"}, _bad_tls()),
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


def _what(kind: Any) -> str:
    """A setting's type, in words."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return f"one of {', '.join(map(repr, typing.get_args(kind)))}"
    return f"a {_KINDS.get(origin) or kind.__name__}"


def _is_a(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind)
    kind = typing.get_origin(kind) or kind
    if isinstance(value, (bool, str)):
        return kind is type(value)
    return isinstance(value, (int, float)) if kind is float else isinstance(value, kind)


def _bad_broker() -> Iterator[CheckMessage]:
    for url in settings.BROKER_URL.split(";"):
        scheme, _, rest = url.strip().partition("://")
        if not _is_parseable(url):
            hint = "Write special characters of user and password in percent-encoding (/ as %2F, @ as %40)."
            yield _error(3, "EVENTBRIDGE['BROKER_URL'] cannot be taken apart.", hint)
        elif scheme not in SCHEMES:
            hint = f"Begin it with one of {', '.join(f'{name}://' for name in SCHEMES)}."
            begins = f"begins with {scheme!r}" if rest and scheme.isalpha() else "has a part without a scheme"
            yield _error(3, f"EVENTBRIDGE['BROKER_URL'] {begins}.", hint)
        elif scheme != "database" and ("?" in rest or "#" in rest):
            hint = "Write amqp(s)://user:password@host:port/vhost; time-outs and TLS have settings of their own."
            yield _error(3, "EVENTBRIDGE['BROKER_URL'] has a query string, which nobody would read.", hint)
        elif scheme == "database" and (alias := rest.partition("?")[0]) and alias not in connections:
            names = f"the database {alias!r}" if not {*alias} & {*"@:/"} else "what is no alias of a database"
            yield _error(3, f"EVENTBRIDGE['BROKER_URL'] names {names}, which DATABASES has not.")


def _unused_tls() -> Iterator[CheckMessage]:
    if settings.BROKER_TLS and any(url.strip().startswith("amqp://") for url in settings.BROKER_URL.split(";")):
        yield _error(3, "EVENTBRIDGE['BROKER_TLS'] is set, but BROKER_URL says amqp://.", "Write amqps://.")


def _bad_tls() -> Iterator[CheckMessage]:
    unknown = {str(key) for key in settings.BROKER_TLS} - _TLS_KEYS
    if unknown:
        hint = f"Its keys are {', '.join(sorted(_TLS_KEYS))}."
        yield _error(3, f"EVENTBRIDGE['BROKER_TLS'] has no key {', '.join(sorted(unknown))}.", hint)


def _is_parseable(url: str) -> bool:
    """The value itself is never quoted: it holds a password."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _bad_times() -> Iterator[CheckMessage]:
    if settings.CONFIRM_TIMEOUT >= settings.RELAY_LEASE / 2:
        text = "EVENTBRIDGE['CONFIRM_TIMEOUT'] is not less than half of RELAY_LEASE."
        yield _error(4, text, "A relay could publish after another one has taken over.")


def _bad_size() -> Iterator[CheckMessage]:
    if settings.MAX_EVENT_BYTES > _LARGEST_MESSAGE:
        text = "EVENTBRIDGE['MAX_EVENT_BYTES'] is more than the 16 MiB that RabbitMQ 4 accepts."
        yield _warning(5, text, "Events that large would be parked in the outbox.")


def _bad_source() -> Iterator[CheckMessage]:
    if not settings.SOURCE or " " in settings.SOURCE:
        yield _error(6, f"EVENTBRIDGE['SOURCE'] is {settings.SOURCE!r}, which is no URI-reference.")


def _absent_source(given: dict[str, Any]) -> Iterator[CheckMessage]:
    if "SOURCE" not in given and not settings.BROKER_URL.startswith("database"):
        hint = "Name this service, such as '/bookstore': receivers tell events apart by source and id."
        yield _warning(6, "EVENTBRIDGE['SOURCE'] is not set.", hint)


def _bad_health() -> Iterator[CheckMessage]:
    try:
        place_of(settings.HEALTH_ADDRESS or "127.0.0.1:0")
    except ValueError as error:
        yield _error(7, f"EVENTBRIDGE['HEALTH_ADDRESS']: {error}.")


def _bad_metrics() -> Iterator[CheckMessage]:
    if settings.METRICS and not find_spec("prometheus_client"):
        text = "EVENTBRIDGE['METRICS'] is on, but prometheus-client is not installed."
        yield _error(9, text, "Install eventbridge[prometheus].")


def _bad_traces() -> Iterator[CheckMessage]:
    if settings.TRACES != "off" and not find_spec("opentelemetry"):
        text = "EVENTBRIDGE['TRACES'] is on, but opentelemetry-api is not installed."
        yield _error(9, text, "Install eventbridge[opentelemetry].")


def _bad_trail() -> Iterator[CheckMessage]:
    if settings.TRAIL_SAMPLE > 1:
        text = f"EVENTBRIDGE['TRAIL_SAMPLE'] is {settings.TRAIL_SAMPLE!r}; it is a share of all events."
        yield _error(8, text, "Write 1 for all of them, 0.01 for one in a hundred.")


# --- event types and bridges -------------------------------------------------------------------


@register()
def check_event_types(**kwargs: Any) -> list[CheckMessage]:
    """Names are unique, and every payload's annotations can be read."""
    names = Counter(kind.name for kind in event_types.values())
    found: list[CheckMessage] = []
    for kind in event_types.values():
        place = f"{kind.payload.__module__}.{kind.payload.__qualname__}"
        if names[kind.name] > 1:
            hint = "Give one of them another name, or a new version (….v2)."
            found.append(_error(10, f"{place} is not the only class with the event type {kind.name!r}.", hint))
        try:
            kind.decoder  # noqa: B018 - building it reads the annotations
        except Exception as error:
            found.append(_error(11, f"the fields of {place} cannot be read: {error}.", ""))
    return found


@register(Tags.models)
def check_bridges(**kwargs: Any) -> list[CheckMessage]:
    """Bridges say what they emit, and for whom."""
    return [problem for bridge in bridges for problem in _bad_bridge(bridge)]


def _bad_bridge(bridge: Bridge) -> Iterator[CheckMessage]:
    try:
        bridge.types  # noqa: B018 - reads the annotation
    except EventbridgeError as error:
        yield _error(12, f"{error}.", "Annotate what it returns: -> BookSaved | None.")
    names = [MODEL_SIGNALS[signal] for signal in bridge.kinds if signal in MODEL_SIGNALS]
    if names and bridge.sender is None:
        text = f"{bridge} receives {', '.join(names)} of every model there is."
        yield _error(13, text, "Give it a sender: @bridge(post_save, sender=Book).")
    model = bridge.model
    if isinstance(bridge.sender, str):
        yield from _bad_name(bridge)
    if model is not None and model._meta.abstract:
        text = f"{bridge} has the abstract model {model.__name__} as its sender, which sends no signal."
        yield _error(14, text, "Bridge the models that inherit from it.")
    elif model is not None:
        yield from _deleted_by_the_database(bridge, model)
        yield from _far_from_an_outbox(bridge, model)


def _bad_name(bridge: Bridge) -> Iterator[CheckMessage]:
    """Django's model signals know a model by its name; custom signals do not."""
    of_models = [isinstance(signal, ModelSignal) for signal in bridge.kinds]
    if bridge.model and not all(of_models):
        text = f"{bridge} is never called: a custom signal does not know its sender by the name {bridge.sender!r}."
        yield _error(16, text, "Give it the class itself, or no sender.")
    elif bridge.model is None and any(of_models):
        text = f"{bridge} is never called: there is no model {bridge.sender!r}."
        yield _error(17, text, "Write it as 'app_label.ModelName', or give it the class itself.")


def _deleted_by_the_database(bridge: Bridge, model: type[models.Model]) -> Iterator[CheckMessage]:
    """Django 6.1's DB_CASCADE deletes rows without a signal (docs/releases/6.1)."""
    if not {signals.pre_delete, signals.post_delete} & set(bridge.kinds):
        return
    cascade = getattr(models, "DB_CASCADE", None)
    for field in model._meta.get_fields():
        if cascade and isinstance(field, models.ForeignKey) and field.remote_field.on_delete is cascade:
            text = f"{bridge} is not called when the database deletes a {model.__name__} through {field.name!r}."
            hint = "Use on_delete=CASCADE there, or emit() where the parent is deleted."
            yield _error(15, text, hint)


def _far_from_an_outbox(bridge: Bridge, model: type[models.Model]) -> Iterator[CheckMessage]:
    """The event is written where the change is, so the router must let the outbox in there."""
    if not any(isinstance(signal, ModelSignal) for signal in bridge.kinds):
        return
    alias = router.db_for_write(model)
    if not router.allow_migrate_model(alias, OutboxEntry):
        text = (
            f"{bridge} fails every change of a {model.__name__}: the router writes it to database {alias!r}, "
            "but lets no outbox in there."
        )
        hint = (
            f"Let allow_migrate({alias!r}, 'eventbridge') return True or None, run manage.py migrate "
            f"--database {alias}, and run a relay for it: docs/how-to/use-a-second-database.md."
        )
        yield _error(18, text, hint)


# --- consumers ---------------------------------------------------------------------------------


@register()
def check_consumers(**kwargs: Any) -> list[CheckMessage]:
    """The modules in CONSUMERS load, and their consumers keep their promises."""
    consumers, found = _consumers()
    return [*found, *(problem for consumer in consumers for problem in consumer_problems(consumer))]


def _consumers() -> tuple[list[Consumer], list[CheckMessage]]:
    """Those of each module in CONSUMERS that loads, and what is wrong with the other modules."""
    modules: Any = settings.CONSUMERS
    known: dict[str, Consumer] = {}
    found: list[CheckMessage] = []
    for module in modules if _is_a(modules, Sequence) else ():  # check_settings says so
        try:
            own = consumers_in([module])
        except LookupError as error:
            found.append(_error(20, f"EVENTBRIDGE['CONSUMERS']: {error}."))
        except Exception as error:  # whatever a module of theirs raises while it is imported
            text = f"EVENTBRIDGE['CONSUMERS']: {module!r} cannot be imported: {type(error).__name__}: {error}."
            found.append(_error(20, text))
        else:
            found += [_repeated(c, module) for c in own if known.setdefault(c.name, c) is not c]
    return list(known.values()), found


def _repeated(consumer: Consumer, module: str) -> CheckMessage:
    text = f"EVENTBRIDGE['CONSUMERS']: two consumers are named {consumer.name!r}, one of them in {module!r}."
    return _error(20, text, "The name is the queue's: give each its own.")


def consumer_problems(consumer: Consumer) -> Iterable[CheckMessage]:
    """What is wrong with one consumer; ``eventbridge consume`` refuses to run it."""
    if not consumer.handlers:
        hint = "Write @consumer.handles(BookPublished) above a function."
        yield _error(21, f"consumer {consumer.name!r} handles nothing.", hint)
    names = [kind.name for kind in event_types.values()]
    for handler in consumer.handlers.values():
        if handler.payload is None and not any(matches(handler.key, name) for name in names):
            hint = (
                "Fine, if another service sends them. '*' is exactly one word and '#' any number: "
                "'bookstore.book.#' matches all of a book's events."
            )
            text = f"consumer {consumer.name!r}: no event type that is known here matches {handler.key!r}."
            yield _warning(22, text, hint)
    if consumer.ordered and any(delay > LONGEST_RUNG_IN_PLACE for delay in consumer.retries):
        hint = f"It waits in place; give it retries of up to {LONGEST_RUNG_IN_PLACE:g} s, such as (1, 5, 30)."
        yield _error(23, f"consumer {consumer.name!r} is ordered and has long rungs.", hint)
    if consumer.ordered and (consumer.concurrency > 1 or consumer.batch > 1):
        hint = "An ordered consumer handles one at a time: leave concurrency and batch at 1."
        yield _error(24, f"consumer {consumer.name!r} is ordered and handles several at a time.", hint)
    if not consumer.atomic and consumer.batch > 1:
        hint = "A batch is one transaction: use atomic=True, or batch=1 with more concurrency."
        yield _error(25, f"consumer {consumer.name!r} has atomic=False and a batch.", hint)
    yield from _unknown_redactions(consumer)
    if consumer.database not in connections:
        hint = f"DATABASES has {', '.join(connections)}."
        yield _error(26, f"consumer {consumer.name!r}: there is no database {consumer.database!r}.", hint)


def _unknown_redactions(consumer: Consumer) -> Iterator[CheckMessage]:
    """A name that is written otherwise would hide nothing."""
    payloads = [handler.payload for handler in consumer.handlers.values()]
    if not all(payloads):
        return  # what comes by a pattern may have any fields
    known = {"data", "subject", "partitionkey", "correlationid", "causationid"}
    known |= {name for payload in payloads if payload for name in _members(event_type_of(payload).schema())}
    for name in consumer.redact:
        if name not in known:
            text = f"consumer {consumer.name!r} redacts {name!r}, which no event that it handles has."
            yield _warning(27, text, "Write it as in the event's class. In an Any or a dict it may be right.")


def _members(schema: Any) -> Iterator[str]:
    """Every name of a property in a JSON Schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _members(part)


# --- databases ---------------------------------------------------------------------------------


@register()
def check_databases(**kwargs: Any) -> list[CheckMessage]:
    """Each database that gets an outbox can hold one."""
    aliases = [alias for alias in connections if router.allow_migrate_model(alias, OutboxEntry)]
    return [problem for alias in aliases for problem in _bad_database(alias)]


def _bad_database(alias: str) -> Iterator[CheckMessage]:
    connection = connections[alias]
    if connection.vendor not in SUPPORTED:
        text = f"database {alias!r} is {connection.vendor}, where eventbridge does not work."
        hint = "Use PostgreSQL or SQLite; a router's allow_migrate keeps eventbridge out of this one."
        yield _error(30, text, hint)
    elif connection.vendor == "sqlite":
        options = connection.settings_dict.get("OPTIONS", {})
        if str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
            text = f"database {alias!r} is SQLite without OPTIONS['transaction_mode'] = 'IMMEDIATE'."
            yield _warning(31, text, "Transactions that read first fail with 'database is locked' at once.")
        if "journal_mode=wal" not in str(options.get("init_command", "")).lower().replace(" ", ""):
            text = f"database {alias!r} is SQLite without PRAGMA journal_mode=WAL in OPTIONS['init_command']."
            yield _warning(32, text, "Daemons and site would block each other's reads.")
    else:
        yield from _small_pool(alias, connection.settings_dict.get("OPTIONS", {}).get("pool"))


def _small_pool(alias: str, pool: Any) -> Iterator[CheckMessage]:
    """Daemons keep a connection for each thread. psycopg's pool gives out ``max_size``, or ``min_size`` without it."""
    if not pool:
        return
    given = pool if isinstance(pool, Mapping) else {}
    size, threads = given.get("max_size") or given.get("min_size", 4), _threads_of(alias)
    if size < threads:
        text = f"database {alias!r} has a pool of {size} connections, and one process of consumers uses {threads}."
        hint = f"Set OPTIONS['pool']['max_size'] to {threads} or more: a thread that gets none waits."
        yield _warning(33, text, hint)


def _threads_of(alias: str) -> int:
    """How many threads of one process that runs all of CONSUMERS, or a relay, use that database at a time."""
    consumers, _ = _consumers()
    scheme, _, rest = str(settings.BROKER_URL).partition("://")  # it may be one that cannot be taken apart
    embedded = scheme == "database" and (rest.partition("?")[0] or DEFAULT_DB_ALIAS) == alias
    hands_and_replays = sum(consumer.concurrency + 1 for consumer in consumers if consumer.database == alias)
    pumps = len(consumers) if embedded else 0
    return max(hands_and_replays + pumps, 1) + 1  # and the heartbeats
