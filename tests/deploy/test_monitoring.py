"""The alert rules, the dashboard and the Kubernetes manifests: what they ask of a daemon is there."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from eventbridge.conf import Settings
from eventbridge.daemon import Daemon
from tests.deploy.test_compose import _assert_parses
from tests.services.absence import absent
from tests.services.hosts import NotAvailable
from tests.services.processes import Process
from tests.services.promtool import Promtool
from tests.services.promtool import promtool as get_promtool
from tests.services.waiting import wait_for
from tests.telemetry.conftest import address_of, get

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "eventbridge.rules.yml"
TESTS = Path(__file__).parent / "alerts.test.yml"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
BOARD = json.loads((ROOT / "deploy" / "grafana" / "eventbridge.json").read_text())
TARGETS = [(panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel.get("targets", ())]
MANIFESTS = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "bookstore.yaml").read_text()))
DEPLOYMENTS = {item["metadata"]["name"]: item["spec"] for item in MANIFESTS if item["kind"] == "Deployment"}

Values = dict[str, set[str]]


# --- what a daemon serves ------------------------------------------------------------------------


@pytest.fixture
def served(daemon: Callable[..., Process]) -> dict[str, Values]:
    """The labels, with their values, of each series that a relay and a consumer serve before anything happens."""
    found: dict[str, Values] = {}
    for command in (("relay",), ("consume", "tests.telemetry.shop_consumers")):
        address = address_of(daemon("eventbridge", *command, env={"SHOP_METRICS": "1"}))
        wait_for(lambda a=address: get(a, "/readyz").code == 200, what="it to be ready")
        for family in text_string_to_metric_families(get(address, "/metrics").text):
            for sample in family.samples:
                labels = found.setdefault(sample.name, {})
                for name, value in sample.labels.items():
                    labels.setdefault(name, set()).add(value)
    return found


_FUNCTIONS = {"group", "last_over_time", "histogram_quantile", "increase", "rate", "absent", "time"}
_FUNCTIONS |= {"sum", "max", "min", "count", "by", "on"}
_WORDS = {"and", "or", "unless"}
_SELECTOR = re.compile(r"(?<![\w$])(?P<name>[a-zA-Z_:][\w:]*)\s*(?:\{(?P<matchers>[^}]*)\})?(?P<call>\s*\()?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


def _asked(expression: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """The series that an expression names, each with its matchers."""
    bare = re.sub(r"\b(?:by|on)\s*\([^)]*\)|\[[^\]]*\]", "", expression)
    for found in _SELECTOR.finditer(bare):
        if found["call"]:
            assert found["name"] in _FUNCTIONS, f"{found['name']}() is no function that is known here"
        elif found["name"] not in _WORDS | _FUNCTIONS:
            yield found["name"], _MATCHER.findall(found["matchers"] or "")


def _grouped_by(expression: str) -> set[str]:
    return {
        label.strip() for found in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression) for label in found.split(",")
    }


def _missing(expression: str, served: dict[str, Values]) -> Iterator[str]:
    """What an expression asks for, and no daemon serves."""
    labels: set[str] = set()
    for name, matchers in _asked(expression):
        if name not in served:
            yield f"series {name}"
        known = served.get(name, {})
        labels |= set(known)
        for label, operator, value in matchers:
            if label not in known:
                yield f"label {label} of {name}"
            elif not value.startswith("$") and value and operator in ("=", "=~"):
                yield from (f"{label}={word} of {name}" for word in value.split("|") if word not in known[label])
    yield from (f"label {label}" for label in _grouped_by(expression) - labels)


@pytest.mark.django_db(transaction=True, databases=["default", "archive"])
def test_every_series_label_and_value_of_rules_and_dashboard_is_served_by_a_running_daemon(served) -> None:
    asked = [(rule["alert"], rule["expr"]) for rule in ALERTS] + TARGETS
    assert len(asked) > 40
    missing = {name: problems for name, expression in asked if (problems := list(_missing(expression, served)))}
    assert missing == {}


@pytest.mark.parametrize(
    ("expression", "problems"),
    [
        ('sum by (a) (rate(up{a="x"}[5m])) > 0', []),
        ("sum by (b) (rate(up[5m])) > 0", ["label b"]),
        ("down > 0 and on (a) up > 1", ["series down"]),
        ('up{b="x"}', ["label b of up"]),
        ('up{a=~"x|z"}', ["a=z of up"]),
        ('up{a=~"$a"}', []),
    ],
)
def test_what_is_not_served_is_found(expression: str, problems: list[str]) -> None:
    assert list(_missing(expression, {"up": {"a": {"x", "y"}}})) == problems


def test_the_dashboards_variables_are_labels_that_are_served_and_used() -> None:
    variables = {item["name"] for item in BOARD["templating"]["list"]} - {"datasource"}
    used = {name for _, expression in TARGETS for name in re.findall(r"\$(\w+)", expression)} - {"__rate_interval"}
    assert used == variables == {"database", "consumer"}


def test_no_panel_of_the_dashboard_covers_another() -> None:
    cells: dict[tuple[int, int], str] = {}
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert cells.setdefault((x, y), panel["title"]) == panel["title"]


# --- the rules -----------------------------------------------------------------------------------


@pytest.fixture
def promtool() -> Promtool:
    try:
        return get_promtool()
    except NotAvailable as reason:
        absent(f"there is no promtool here: {reason}")


@pytest.mark.timeout(300)
def test_the_rules_fire_when_they_should_and_not_before(promtool: Promtool) -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("test", "rules", TESTS)


def test_the_dashboards_expressions_are_promql(promtool: Promtool, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (_, expression) in enumerate(TARGETS)
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(TARGETS)} rules found" in promtool("check", "rules", file)


def test_every_alert_is_tested_to_fire_and_to_be_quiet() -> None:
    tests = [test for part in yaml.safe_load(TESTS.read_text())["tests"] for test in part["alert_rule_test"]]
    names = {rule["alert"] for rule in ALERTS}
    assert {test["alertname"] for test in tests if test.get("exp_alerts")} == names
    assert {test["alertname"] for test in tests if not test.get("exp_alerts")} == names


def test_every_alert_links_to_a_runbook_by_the_one_base_to_replace_and_the_runbook_names_it() -> None:
    (base,) = re.findall(r"s\|(\S+?)\|", RULES.read_text())
    assert f"s|{base}|" in (ROOT / "docs" / "how-to" / "monitor.md").read_text()
    for rule in ALERTS:
        place, _, name = rule["annotations"]["runbook_url"].rpartition("/")
        page = ROOT / "docs" / "runbooks" / name
        assert place == base
        assert f"`{rule['alert']}`" in page.read_text()
        assert rule["labels"]["severity"] in ("critical", "warning")
    named = {
        name
        for page in (ROOT / "docs" / "runbooks").glob("*.md")
        for name in re.findall(r"`(Event\w+)`", page.read_text())
    }
    assert named == {rule["alert"] for rule in ALERTS}


def test_every_runbook_is_found_from_their_first_page() -> None:
    pages = {page.name for page in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "runbooks" / "README.md").read_text())) == pages


# --- Kubernetes ----------------------------------------------------------------------------------


def _container(name: str) -> dict[str, Any]:
    (container,) = DEPLOYMENTS[name]["template"]["spec"]["containers"]
    return dict(container)


def test_kubernetes_has_every_daemon_of_the_bookstore() -> None:
    assert set(DEPLOYMENTS) == {"bookstore-relay", "bookstore-email", "bookstore-deletion"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_runs_a_command_that_manage_py_takes_and_lets_it_drain(name: str) -> None:
    _assert_parses(_container(name)["args"])
    assert DEPLOYMENTS[name]["template"]["spec"]["terminationGracePeriodSeconds"] > Settings.SHUTDOWN_TIMEOUT
    labels = DEPLOYMENTS[name]["template"]["metadata"]["labels"]
    assert DEPLOYMENTS[name]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_probes_ask_what_a_daemon_serves_where_it_serves_it(name: str) -> None:
    container, pages = _container(name), Daemon(shutdown_timeout=1).health.pages
    paths = {kind: container[kind]["httpGet"]["path"] for kind in ("livenessProbe", "readinessProbe", "startupProbe")}
    assert paths == {"livenessProbe": "/livez", "readinessProbe": "/readyz", "startupProbe": "/livez"}
    assert set(paths.values()) <= set(pages)
    (port,) = container["ports"]
    assert {container[kind]["httpGet"]["port"] for kind in paths} == {port["name"]}
    assert container["args"][-2:] == ["--health-address", f"0.0.0.0:{port['containerPort']}"]
    scraped = DEPLOYMENTS[name]["template"]["metadata"]["annotations"]
    assert (scraped["prometheus.io/port"], scraped["prometheus.io/path"]) == (str(port["containerPort"]), "/metrics")
