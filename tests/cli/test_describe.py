"""eventbridge describe: what is declared, without a database, a broker or a password."""

import json

import pytest
from django.core.management.base import CommandError

from tests.cli.shop_consumers import consumer

CONSUMERS = "tests.cli.shop_consumers"


def test_a_type_is_told_with_its_fields_its_bridges_and_who_handles_it(run):
    out = run("describe", CONSUMERS).out
    assert "shop.order.saved.v1\n" in out
    assert "order_id: uuid.UUID  (key)\n" in out
    assert "emitted by  tests.shop.events.order_saved\n              on post_save of tests.shop.models.Order\n" in out
    assert "handled by  cli.mail\n" in out
    assert "on pre_delete of shop.Order\n" in out


def test_a_consumer_is_told_with_its_handlers_and_its_policy(run):
    out = run("describe", CONSUMERS).out
    assert "consumer cli.mail\n" in out
    assert "by tests.cli.shop_consumers.note\n" in out
    assert "after 1 s, 30 s; then it is a dead letter" in out
    assert "2 at a time, in one transaction with the inbox, 300 s at most" in out


@pytest.mark.parametrize(
    "url",
    [
        "amqp://shop:s3cret@one/",
        "amqp://shop:s3cret@one/;amqps://shop:s3cret@two/v",
        "amqp://shop:s3cret/a@b:c@one/",
        "amqp://shop:s3cret;s3cret@one/",
        "amqp://shop:s3cret://s3cret@one/",
        "AMQP://sh/op@there:s3cret@one/",
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_passwords_are_not_shown(run, settings, url, options):
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": url}
    out = run("describe", *options).out
    assert "s3cret" not in out
    assert ":***@one/" in out


def test_a_consumer_without_a_timeout_says_so(run, monkeypatch):
    monkeypatch.setattr(consumer, "timeout", None)
    assert "in one transaction with the inbox, no timeout\n" in run("describe", CONSUMERS).out


def test_json_has_the_same_for_programs(run):
    told = json.loads(run("describe", CONSUMERS, "--json").out)
    [kind] = [item for item in told["event_types"] if item["name"] == "shop.order.saved.v1"]
    assert kind["key"] == "order_id"
    assert kind["mandatory"] is False
    assert kind["fields"] == {"order_id": "uuid.UUID", "paid": "bool", "created": "bool"}
    assert kind["bridges"][0]["signals"] == ["post_save"]
    assert told["consumers"][0]["handlers"] == {"shop.order.saved.v1": "tests.cli.shop_consumers.note"}
    assert told["settings"]["SOURCE"] == "/shop"


def test_schemas_are_written_a_file_for_each_type(run, tmp_path):
    run("describe", "--schemas", str(tmp_path / "schemas"))
    schema = json.loads((tmp_path / "schemas" / "shop.order.saved.v1.json").read_text())
    assert schema["$defs"]["OrderSaved"]["properties"]["order_id"] == {"type": "string", "format": "uuid"}


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("tests.cli.nowhere", "no module 'tests.cli.nowhere'"),
        ("tests.shop.models", "defines no Consumer"),
        ("./tests/cli/shop_consumers.py", "name the module: tests.cli.shop_consumers"),
    ],
)
def test_a_module_that_cannot_be_used_says_what_to_write(run, module, says):
    with pytest.raises(CommandError, match=says):
        run("describe", module)
