"""What `manage.py check` says, by id; every mistake at once."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import django
import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import models
from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import Signal

from eventbridge import Consumer, Event, bridge, capture, event_type
from eventbridge.checks import check_bridges, check_consumers, check_databases, consumer_problems
from eventbridge.event import event_types
from tests.shop.models import Note, Product, Stamped

pytestmark = pytest.mark.django_db(databases=["default", "archive"])  # Django 6.1's own checks ask it
Ids = Callable[[], list[str]]


@event_type("checks.noted.v1")
class Noted:
    text: str


@pytest.fixture
def ids() -> Ids:
    """The ids of what is wrong, sorted, without what Django itself finds."""

    def find() -> list[str]:
        found = [str(message.id).removeprefix("eventbridge.") for message in run_checks() if _ours(message)]
        return sorted(found)

    return find


def _ours(message: Any) -> bool:
    return str(message.id).startswith("eventbridge.")


def noted(**kwargs: Any) -> Noted:
    return Noted(text="x")


def test_the_test_project_has_nothing_wrong(ids: Ids):
    assert ids() == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("amqp://localhost", ["E001"]),
        ({"SUORCE": "/x"}, ["E001"]),
        ({"SOURCE": 3}, ["E002"]),
        ({"AUTO_DECLARE": "no"}, ["E002"]),
        ({"RELAY_BATCH": 0}, ["E002"]),
        ({"RELAY_BATCH": True}, ["E002"]),
        ({"CONSUMERS": "consumers.email"}, ["E002"]),
        ({"SUORCE": "/x", "RELAY_BATCH": "many", "HEARTBEAT": -1}, ["E001", "E002", "E002"]),
        (
            {"SUORCE": "/x", "BROKER_URL": "redis://localhost", "CONFIRM_TIMEOUT": 10, "SOURCE": ""},
            ["E001", "E003", "E004", "E006"],
        ),
        (
            {"RELAY_LEASE": "long", "BROKER_TLS": 3, "BROKER_URL": "x://", "TRAIL_SAMPLE": 2},
            ["E002", "E002", "E003", "E008", "W006"],
        ),
        ({"BROKER_URL": 3, "BROKER_TLS": {"cafile": "x"}, "SOURCE": " "}, ["E002", "E003", "E006"]),
        ({"CONSUMERS": 3, "HEALTH_ADDRESS": "9464"}, ["E002", "E007"]),
        ({"BROKER_URL": "redis://localhost", "SOURCE": "/x"}, ["E003"]),
        ({"BROKER_URL": "database://nowhere"}, ["E003"]),
        ({"BROKER_URL": "database://archive?lease=2"}, []),
        ({"BROKER_URL": "amqp://user:pa/ss@host//", "SOURCE": "/x"}, ["E003"]),
        ({"BROKER_URL": "amqp://host//?heartbeat=3", "SOURCE": "/x"}, ["E003"]),
        ({"BROKER_URL": "amqp://host//", "SOURCE": "/x", "BROKER_TLS": {"ca": "x"}}, ["E003"]),
        ({"BROKER_URL": "amqps://host//", "SOURCE": "/x", "BROKER_TLS": {"cafile": "x"}}, ["E003"]),
        ({"CONFIRM_TIMEOUT": 10.0}, ["E004"]),
        ({"MAX_EVENT_BYTES": 2**30}, ["W005"]),
        ({"SOURCE": ""}, ["E006"]),
        ({"BROKER_URL": "amqp://localhost"}, ["W006"]),
        ({"BROKER_URL": "amqp://localhost", "SOURCE": "/shop"}, []),
        ({"HEALTH_ADDRESS": "9464"}, ["E007"]),
        ({"HEALTH_ADDRESS": "[::]:9464"}, []),
        ({"HEALTH_ADDRESS": ""}, []),
        ({"CONSUMERS": ["consumers.nowhere"]}, ["E020"]),
        ({"CONSUMERS": ["tests.shop.models"]}, ["E020"]),
        ({"CONSUMERS": ["consumers.nowhere", 3, "tests.e2e.notes", "tests.shop.models"]}, ["E020", "E020", "E020"]),
        ({"CONSUMERS": ["tests.e2e.notes"]}, []),
        ({"POLL_INTERVAL": 1, "CONFIRM_TIMEOUT": 5}, []),
    ],
)
def test_settings(settings: Any, ids: Ids, given: Any, expected: list[str]):
    settings.EVENTBRIDGE = given
    assert ids() == expected


@pytest.mark.parametrize(
    "url",
    [
        "amqp://user:s3cr/s3cr@host//",
        "amqp://user:s3cr;s3cr@host//",
        "amqp://user:s3cr;s3cr://s3cr@host//",
        "amqps://user:s3cr@host/;s3cr",
        "user:s3cr@host",
        "s3cr",
        "redis://user:s3cr@host",
        "database://user:s3cr@host/name",
        "amqp://user:s3cr@host/?password=s3cr",
        "amqp://user@host:s3cr",
        "amqp://[s3cr",
        ["amqp://user:s3cr@host"],
        {"url": "amqp://user:s3cr@host"},
    ],
    ids=str,
)
def test_a_password_in_a_broker_url_is_never_quoted(settings: Any, url: Any):
    settings.EVENTBRIDGE = {"BROKER_URL": url, "SOURCE": "/x"}
    told = " ".join(f"{message.msg} {message.hint}" for message in run_checks())
    assert "BROKER_URL" in told
    assert "s3cr" not in told


def test_a_name_that_two_classes_have(ids: Ids):
    @event_type("checks.noted.v1")
    class Again:
        text: str

    try:
        assert ids() == ["E010", "E010"]
    finally:
        del event_types[Again]


def test_a_payload_whose_fields_cannot_be_read(ids: Ids):
    @event_type("checks.unreadable.v1")
    class Unreadable:
        what: "Nowhere"  # noqa: F821

    try:
        assert ids() == ["E011"]
    finally:
        del event_types[Unreadable]


def test_a_bridge_that_does_not_say_what_it_returns(ids: Ids):
    @bridge(post_save, sender=Note)
    def silent(**kwargs: Any):
        return Noted(text="x")

    @bridge(post_save, sender=Note)
    def wrong(**kwargs: Any) -> str:
        return "x"

    assert ids() == ["E012", "E012"]


def test_a_bridge_of_every_model_there_is(ids: Ids):
    bridge(post_save)(noted)
    assert ids() == ["E013"]


def test_a_bridge_of_an_abstract_model(ids: Ids):
    bridge(post_save, sender=Stamped)(noted)
    assert ids() == ["E014"]


def test_a_custom_signal_with_a_sender_by_name(ids: Ids):
    bridge(Signal(), sender="shop.Note")(noted)
    assert ids() == ["E016"]


@pytest.mark.parametrize("name", ["shop.Noet", "nowhere.Note", "Note"])
def test_a_sender_that_does_not_exist(ids: Ids, name: str):
    try:
        bridge(post_save, sender=name)(noted)
    except ValueError:
        return  # Django has said so at once
    try:
        assert ids() == ["E017"]
    finally:
        apps._pending_operations.pop(tuple(name.lower().split(".")))  # or Django's own checks go on about it


def test_a_custom_signal_may_have_any_text_as_its_sender(ids: Ids):
    bridge(Signal(), sender="shopfront")(noted)
    bridge(Signal(), sender="shop.front")(noted)
    assert ids() == []


def test_a_custom_signal_needs_no_sender_and_a_model_may_be_named(ids: Ids):
    bridge(Signal())(noted)
    bridge(pre_delete, sender="shop.Product")(noted)
    assert ids() == []


class OwnAppOnly:
    """A router as many projects have one: the archive is for one app's tables."""

    def __init__(self, *apps: str) -> None:
        self.apps = apps

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "archive" if model._meta.app_label == "shop" else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return app_label in self.apps if db == "archive" else None


def test_a_bridged_model_in_a_database_that_the_router_keeps_without_an_outbox(settings: Any, ids: Ids):
    settings.DATABASE_ROUTERS = [OwnAppOnly("shop")]
    capture.bridges.clear()
    bridge([post_save, post_delete], sender=Note)(noted)
    assert ids() == ["E018"]
    [problem] = check_bridges()
    assert "noted" in problem.msg
    assert "Note" in problem.msg
    assert "'archive'" in problem.msg
    assert "allow_migrate" in str(problem.hint)
    assert "docs/how-to/use-a-second-database.md" in str(problem.hint)


def test_a_bridged_model_in_a_database_into_which_the_router_lets_the_outbox(settings: Any, ids: Ids):
    settings.DATABASE_ROUTERS = [OwnAppOnly("shop", "eventbridge")]
    bridge(post_save, sender=Note)(noted)
    assert ids() == []


def test_a_custom_signal_is_recorded_where_the_router_writes_the_outbox_wherever_its_sender_is(settings: Any, ids: Ids):
    settings.DATABASE_ROUTERS = [OwnAppOnly("shop")]
    capture.bridges.clear()
    bridge(Signal(), sender=Note)(noted)
    assert ids() == []


@pytest.mark.skipif(django.VERSION < (6, 1), reason="DB_CASCADE came with Django 6.1")
def test_a_bridged_model_that_the_database_deletes(ids: Ids):
    class Review(models.Model):
        product = models.ForeignKey(Product, on_delete=models.DB_CASCADE)

        class Meta:
            app_label = "shop"

        def __str__(self) -> str:
            return str(self.product)

    try:
        bridge(post_delete, sender=Review)(noted)
        assert ids() == ["E015"]
    finally:
        models.base.apps.all_models["shop"].pop("review")
        models.base.apps.clear_cache()


def handle(event: Event[Any]) -> None: ...


@pytest.mark.parametrize(
    ("policy", "key", "expected"),
    [
        ({}, Noted, []),
        ({}, "checks.#", []),
        ({}, None, ["E021"]),
        ({}, "nobody.sends.this", ["W022"]),
        ({}, "checks.*", ["W022"]),
        ({"ordered": True}, Noted, ["E023"]),
        ({"ordered": True, "retries": (1, 5)}, Noted, []),
        ({"ordered": True, "retries": (1, 5), "batch": 5}, Noted, ["E024"]),
        ({"ordered": True, "retries": (1, 5), "concurrency": 2}, Noted, ["E024"]),
        ({"atomic": False, "batch": 10}, Noted, ["E025"]),
        ({"database": "nowhere"}, Noted, ["E026"]),
        ({"redact": ("text", "subject")}, Noted, []),
        ({"redact": ("texts",)}, Noted, ["W027"]),
        ({"redact": ("texts",)}, "checks.#", []),
    ],
)
def test_consumers(policy: dict[str, Any], key: Any, expected: list[str]):
    consumer = Consumer("checks.consumer", **policy)
    if key is not None:
        consumer.handles(key)(handle)
    assert [str(problem.id).removeprefix("eventbridge.") for problem in consumer_problems(consumer)] == expected


def test_a_module_that_cannot_be_used_hides_no_other_modules_problems(settings: Any, monkeypatch: pytest.MonkeyPatch):
    for name in ("first", "second", "third"):
        module = ModuleType(f"checks_{name}")
        module.consumer = Consumer("checks.third" if name == "third" else "checks.shared")  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    names = ["checks_nowhere", "checks_first", "checks_second", "tests.shop.models", "checks_third"]
    settings.EVENTBRIDGE = {"CONSUMERS": names}
    said = [(str(problem.id)[-4:], problem.msg) for problem in check_consumers()]
    assert [code for code, _ in said] == ["E020", "E020", "E020", "E021", "E021"]
    wrong = ("'checks_nowhere'", "two consumers are named 'checks.shared'", "'tests.shop.models'")
    for (_, text), part in zip(said, (*wrong, "'checks.shared'", "'checks.third'"), strict=True):
        assert part in text


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["W031", "W032"]),
        ({"transaction_mode": "immediate", "init_command": "PRAGMA journal_mode = wal"}, []),
        ({"transaction_mode": "DEFERRED", "init_command": "PRAGMA journal_mode=WAL"}, ["W031"]),
    ],
)
@pytest.mark.sqlite
def test_sqlite_without_the_options_that_several_processes_need(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, str], expected: list[str]
):
    from django.db import connections

    monkeypatch.setitem(connections["archive"].settings_dict, "OPTIONS", options)
    assert [str(problem.id).removeprefix("eventbridge.") for problem in check_databases()] == expected


def test_a_database_that_is_not_supported(monkeypatch: pytest.MonkeyPatch):
    from django.db import connections

    monkeypatch.setattr(connections["archive"], "vendor", "mysql")
    assert [problem.id for problem in check_databases()] == ["eventbridge.E030"]
