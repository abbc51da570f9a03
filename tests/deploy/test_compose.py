"""compose.yaml, the Dockerfile and the systemd examples: what they start exists."""

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import yaml
from django.core.management import load_command_class
from django.urls import reverse

from eventbridge.conf import Settings
from eventbridge.daemon import Daemon
from eventbridge.server import HealthServer
from tests.services.waiting import wait_for

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DAEMONS = {name: service for name, service in OURS.items() if set(service["command"]) & {"relay", "consume"}}
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def test_compose_has_every_part_of_the_bookstore() -> None:
    assert set(SERVICES) >= {"rabbitmq", "postgresql", "mail", "migrate", "site", "relay", "email", "deletion"}
    assert set(DAEMONS) == {"relay", "email", "deletion"}


@pytest.mark.parametrize("name", OURS)
def test_a_services_command_is_one_that_manage_py_takes(name: str) -> None:
    _assert_parses(OURS[name]["command"])


@pytest.mark.parametrize("page", ["compose.yaml", "docs/how-to/deploy.md"])
def test_the_way_into_the_admin_is_a_command_of_the_image_in_a_service_that_there_is(page: str) -> None:
    [(service, command)] = re.findall(r"docker compose run --rm (\S+) (.+)", (ROOT / page).read_text())
    assert service in OURS
    assert "superuser" in command
    _assert_parses(command.split())
    assert reverse("admin:index", "demo_project.urls") == "/admin/"


@pytest.mark.parametrize("name", OURS)
def test_a_services_settings_and_consumers_are_modules_of_the_repository(name: str) -> None:
    named = [word for word in OURS[name]["command"] if word.startswith("consumers.")]
    named.append(OURS[name]["environment"].get("DJANGO_SETTINGS_MODULE", "demo_project.settings"))
    assert [module for module in named if not (ROOT / Path(*module.split(".")).with_suffix(".py")).exists()] == []


def test_every_service_that_another_waits_for_can_say_that_it_is_ready() -> None:
    for service in SERVICES.values():
        for name, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]
            else:
                assert wanted["condition"] == "service_completed_successfully"
                assert "restart" not in SERVICES[name]


@pytest.mark.parametrize("name", DAEMONS)
def test_a_daemon_has_a_broker_user_of_its_own_and_declares_nothing(name: str, definitions: dict[str, Any]) -> None:
    environment = DAEMONS[name]["environment"]
    user = {"relay": "relay"}.get(name, f"bookstore.{name}")
    assert environment["BROKER_URL"] == f"amqp://{user}:{user}-development@rabbitmq:5672/bookstore"
    assert user in {user["name"] for user in definitions["users"]}
    assert environment["AUTO_DECLARE"] == "0"


@pytest.mark.parametrize("name", DAEMONS)
def test_a_daemon_is_healthy_when_it_says_that_it_is_ready(name: str) -> None:
    program = DAEMONS[name]["healthcheck"]["test"][-1]
    address = DAEMONS[name]["command"][-1]
    assert address in program
    daemon = Daemon(shutdown_timeout=1)
    server = HealthServer("127.0.0.1:0", daemon.health.pages)
    server.start()
    program = program.replace(address, wait_for(lambda: server.address))
    exec(program, {})  # noqa: S102 - our own file
    daemon.stop()
    with pytest.raises(HTTPError, match="503"):
        exec(program, {})  # noqa: S102
    server.close()


def test_the_site_needs_no_broker() -> None:
    assert "BROKER_URL" not in SERVICES["site"]["environment"]
    assert "rabbitmq" not in SERVICES["site"]["depends_on"]


@pytest.mark.parametrize("name", DAEMONS)
def test_a_daemon_is_given_longer_to_stop_than_it_takes_to_drain(name: str) -> None:
    assert int(DAEMONS[name]["stop_grace_period"].removesuffix("s")) > Settings.SHUTDOWN_TIMEOUT


def test_what_is_mounted_or_copied_is_there() -> None:
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", ())]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE) for word in line.split()[:-1]]
    assert files
    assert copied
    assert [name for name in (*files, *copied) if not (ROOT / name).exists()] == []
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == {name.removeprefix("./") for name in copied}


def test_the_image_runs_as_nobody_special_and_with_the_pinned_versions() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "--constraint constraints.txt" in dockerfile
    user = re.findall(r"^USER (\w+)$", dockerfile, re.MULTILINE)[-1]
    assert user != "root"
    assert f" {user}\n" in dockerfile.partition("useradd")[2]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_systemd_example_starts_a_daemon_and_lets_it_drain(unit: Path) -> None:
    service = _unit(unit)["Service"]
    program, script, *command = shlex.split(service["ExecStart"].replace("%i", "consumers.email"))
    assert program.endswith("/bin/python")
    assert (ROOT / script).exists()
    _assert_parses(command)
    assert service["KillSignal"] == "SIGTERM"
    assert service["Restart"] == "on-failure"
    assert float(service["TimeoutStopSec"]) > Settings.SHUTDOWN_TIMEOUT
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
    assert float(service["WatchdogSec"]) > 0


def test_password_hashing_reads_the_password_from_a_pipe() -> None:
    script = ROOT / "deploy" / "rabbitmq" / "hash_password.py"
    run = subprocess.run([sys.executable, script], input="secret\n", capture_output=True, text=True, check=True)
    assert re.fullmatch(r"[A-Za-z0-9+/]{48}\n", run.stdout)


def _assert_parses(command: list[str]) -> None:
    """That manage.py takes these words; CommandError if it does not. The apps are where Django would look."""
    name, *words = command
    apps = {"eventbridge": "eventbridge", "serve": "demo_project.bookstore", "createsuperuser": "django.contrib.auth"}
    load_command_class(apps.get(name, "django.core"), name).create_parser("manage.py", name).parse_args(words)


def _unit(file: Path) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(file.read_text())
    return unit
