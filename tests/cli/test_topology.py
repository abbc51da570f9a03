"""eventbridge topology: what is missing, what is created, and what RabbitMQ imports."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management.base import CommandError

from eventbridge.models import BrokerBinding, BrokerQueue
from eventbridge.transports import CONFIRMED, Message, Options
from eventbridge.transports.rabbitmq import Publisher

pytestmark = pytest.mark.django_db(databases=["default"])
CONSUMERS = "tests.cli.shop_consumers"


def at(settings: Any, url: str) -> None:
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": url}


def test_plan_lists_what_is_missing_apply_creates_it_and_then_nothing_is_missing(run):
    planned = run("topology", "--plan", CONSUMERS)
    assert planned.code == 1
    assert "  queue cli.mail\n  binding shop.order.saved.v1 to cli.mail\n" in planned.out
    assert not BrokerQueue.objects.exists()
    applied = run("topology", "--apply", CONSUMERS)
    assert applied.code == 0
    assert "created queue cli.mail" in applied.out
    assert BrokerBinding.objects.get().pattern == "shop.order.saved.v1"
    assert run("topology", CONSUMERS).out == "Nothing is missing.\n"
    assert run("topology", "--apply", CONSUMERS).out == "Nothing was missing.\n"


def test_programs_are_told_what_is_missing_and_what_was_created_as_one_document(run):
    planned = run("topology", "--json", CONSUMERS)
    assert planned.code == 1
    missing = json.loads(planned.out)["missing"]
    assert "queue cli.mail" in missing
    assert json.loads(run("topology", "--apply", "--json", CONSUMERS).out) == {"created": missing}
    again = run("topology", "--plan", "--json", CONSUMERS)
    assert (again.code, json.loads(again.out)) == (0, {"missing": []})
    assert json.loads(run("topology", "--export", "--json", CONSUMERS).out)["queues"]


def test_rabbitmq_lacks_what_is_planned_until_it_is_applied(run, settings, vhost):
    at(settings, vhost.url)
    assert "cli.mail" in run("topology", CONSUMERS).out
    assert run("topology", "--apply", CONSUMERS).code == 0
    assert run("topology", CONSUMERS).code == 0
    assert "cli.mail" in vhost.queues()


def test_without_consumers_it_is_what_all_of_them_share(run, settings):
    at(settings, "amqp://broker/shop")
    answer = run("topology", "--export")
    assert "No consumers are named" in answer.err
    names = [exchange["name"] for exchange in json.loads(answer.out)["exchanges"]]
    assert names == ["eventbridge.events", "eventbridge.lost", "eventbridge.requeue"]


def test_a_broker_that_is_away_is_said_without_its_password(run, settings):
    at(settings, "amqp://shop:s3cret@127.0.0.1:1//")
    with pytest.raises(CommandError, match="The broker cannot be asked") as error:
        run("topology", CONSUMERS)
    assert error.value.returncode == 2
    assert "s3cret" not in str(error.value)


def test_users_go_with_an_export_only(run):
    with pytest.raises(CommandError, match="--users goes with --export"):
        run("topology", "--users")


def test_what_is_exported_rabbitmq_imports_and_then_nothing_is_missing(run, settings, vhost):
    at(settings, vhost.url)
    exported = json.loads(run("topology", "--export", "--users", CONSUMERS).out)
    vhost.management.post("/definitions", exported)
    assert run("topology", CONSUMERS).out == "Nothing is missing.\n"


def test_an_exported_consumer_may_write_to_its_own_rungs_with_its_own_name_alone(run, settings, vhost):
    at(settings, vhost.url)
    exported = json.loads(run("topology", "--export", "--users", CONSUMERS).out)
    vhost.management.post("/definitions", exported)
    vhost.management.put(f"/users/{quote('cli.mail')}", {"password": "mails-battery-staple", "tags": ""})
    publisher = Publisher(Options(url=vhost.as_user("cli.mail", "mails-battery-staple")))
    own, others = (
        Message(destination="eventbridge.retry.30s", routing_key=key, body=b"{}") for key in ("cli.mail", "cli.other")
    )
    [taken, refused] = publisher.publish([own, others])
    publisher.close(1)
    assert taken == CONFIRMED
    assert refused.state == "refused"


def test_exported_users_have_the_least_rights_and_no_password(run, settings):
    at(settings, "amqp://broker/shop")
    exported = json.loads(run("topology", "--export", "--users", CONSUMERS).out)
    rights = {item["user"]: (item["configure"], item["write"], item["read"]) for item in exported["permissions"]}
    assert rights["relay"] == ("^$", r"^(eventbridge\.events)$", "^$")
    assert rights["cli.mail"] == (
        "^$",
        r"^(eventbridge\.retry\.1s|eventbridge\.retry\.30s)$",
        r"^(cli\.mail)$",
    )
    assert rights["provisioner"][0] == r"^(eventbridge\.|cli\.mail$)"
    assert {item["vhost"] for item in exported["permissions"]} == {"shop"}
    assert {user["password_hash"] for user in exported["users"]} == {""}
