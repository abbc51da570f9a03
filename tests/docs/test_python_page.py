"""docs/reference/python.md against the public names."""

import ast
import dataclasses
import inspect
import re
from pathlib import Path

import pytest
from django.dispatch import Signal

import eventbridge
from eventbridge import Consumer, Event, telemetry
from tests.docs.pages import read, table
from tests.docs.sends import Send, sends, states_of

PAGE = read("docs/reference/python.md")


def test_every_public_name_has_a_section_of_its_own() -> None:
    sections = set(re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)) - {"Signals"}
    assert sections == set(eventbridge.__all__)


@pytest.mark.parametrize("name", ["event_type", "bridge", "emit", "emit_many"])
def test_the_signatures_are_the_codes(name: str) -> None:
    [shown] = re.findall(rf"^@?{name}\((.+?)\)(?: ->.*)?$", PAGE, re.MULTILINE)
    [function] = ast.parse(f"def {name}({shown}): ...").body
    assert isinstance(function, ast.FunctionDef)
    parameters = inspect.signature(getattr(eventbridge, name)).parameters.values()
    bare = [str(parameter.replace(annotation=inspect.Parameter.empty)) for parameter in parameters]
    assert sorted(ast.unparse(function.args).replace("*, ", "").split(", ")) == sorted(bare)


def test_the_consumers_arguments_and_their_defaults_are_the_codes() -> None:
    [shown] = re.findall(r"^Consumer\(\n(.+?)^\)", PAGE, re.DOTALL | re.MULTILINE)
    documented = dict(re.findall(r"^    (\w+)=(.+),$", shown, re.MULTILINE))
    fields = [field for field in dataclasses.fields(Consumer) if field.init and field.name != "name"]
    assert documented == {field.name: repr(field.default).replace("'", '"') for field in fields}
    assert [row[0].strip("`") for row in table(PAGE, "argument")] == [field.name for field in fields]


def test_an_events_attributes_are_all_named() -> None:
    section = PAGE.partition("## Event\n")[2].partition("## Consumer")[0]
    assert {field.name for field in dataclasses.fields(Event)} <= set(re.findall(r"`(\w+)`", section))


def test_every_signal_of_telemetry_is_in_the_table_and_no_other() -> None:
    documented = [row[0].strip("`") for row in table(PAGE, "signal")]
    assert documented == [name for name, value in vars(telemetry).items() if isinstance(value, Signal)]


SENDS = [send for path in sorted(Path(telemetry.__file__).parent.rglob("*.py")) for send in sends(path)]
ARGUMENTS = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in table(PAGE, "signal")}


@pytest.mark.parametrize("send", SENDS, ids=lambda send: f"{send.signal} in {send.place}")
def test_a_signal_is_sent_with_the_arguments_of_the_table(send: Send) -> None:
    assert send.arguments == ARGUMENTS[send.signal]


def test_every_signal_of_the_table_is_sent() -> None:
    assert {send.signal for send in SENDS} == set(ARGUMENTS)


def test_every_state_that_a_daemon_can_be_in_is_in_the_table() -> None:
    [row] = [row for row in table(PAGE, "signal") if row[0] == "`changed`"]
    written = {state for send in SENDS for state in send.states}
    assert written >= {"stopping", "failed", "warned"}
    assert written | set(states_of("relay.py")) | set(states_of("crew.py")) == set(re.findall(r"`(\w+)`", row[2])) - {
        "why"
    }
