"""--help that a person can use, for every command there is."""

import re

import pytest
from django.core.management import call_command

from eventbridge import __version__

COMMANDS = [
    ("relay",),
    ("consume",),
    ("status",),
    ("doctor",),
    ("topology",),
    ("prune",),
    ("describe",),
    ("dead",),
    ("outbox",),
    *[("dead", verb) for verb in ("list", "show", "replay", "discard")],
    *[("outbox", verb) for verb in ("list", "retry", "discard")],
]


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    with pytest.raises(SystemExit) as end:
        call_command("eventbridge", *command, "--help")
    assert end.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_a_help_with_examples_that_fits_into_80_columns(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    text = help_of(capsys, *command)
    assert f"manage.py eventbridge {' '.join(command)}" in text
    assert "examples:" in text
    assert [line for line in text.splitlines() if len(line) > 90] == []


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_commands_help_says_its_exit_codes(capsys, command):
    assert re.search(r"exit codes:\n  0 .+\n  1 .+\n  2 ", help_of(capsys, *command))


@pytest.mark.parametrize("command", ["relay", "consume"])
def test_a_daemons_help_says_what_a_drain_that_was_stopped_ends_with(capsys, command):
    assert re.search(r"\n  1 .*stopped with --drain before all was done", help_of(capsys, command))


@pytest.mark.parametrize("command", [(), ("dead",), ("outbox",)], ids=" ".join)
def test_a_command_without_its_verb_prints_its_help(run, command):
    answer = run(*command)
    assert answer.code == 2
    assert "commands:" in answer.out


def test_the_version_is_eventbridges_own(capsys):
    with pytest.raises(SystemExit):
        call_command("eventbridge", "--version")
    assert capsys.readouterr().out == f"{__version__}\n"


def test_djangos_own_options_may_stand_behind_the_command(run):
    assert run("describe", "--no-color", "--verbosity", "2", "--traceback").code == 0
