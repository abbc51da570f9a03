"""docs/reference/command-line.md against the parser, and exit-codes.md against what --help says."""

import argparse
import re
from collections.abc import Iterator

import pytest
from django.core.management import load_command_class

from eventbridge.cli.arguments import COMMON_EXITS
from tests.docs.pages import read, table

PAGE = read("docs/reference/command-line.md")
EXIT_CODES = read("docs/reference/exit-codes.md")


def _commands(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every subcommand with its parser, those of groups (`dead list`) included."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, child in action.choices.items():
                yield f"{name} {word}".strip(), child
                yield from _commands(child, f"{name} {word}".strip())


COMMANDS = dict(_commands(load_command_class("eventbridge", "eventbridge").create_parser("manage.py", "eventbridge")))


def _section(name: str) -> str:
    """From the command's heading to the next one."""
    found = re.search(rf"^##+ {name}$(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"no heading for {name!r}"
    return found[1]


def _options(parser: argparse.ArgumentParser) -> set[str]:
    """Options as `--database ALIAS`, arguments as `MODULE …`; without those that stand behind every command."""
    shown = set()
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or action.dest in ("help", "id"):
            continue
        if isinstance(action, argparse._SubParsersAction):
            continue
        value = str(action.metavar or "")
        if action.option_strings:
            value = f"[{value}]" if action.nargs == "?" else value
            shown.add(" ".join(filter(None, (action.option_strings[-1], value))))
        else:
            shown.add(f"{value} …" if action.nargs == "*" else value)
    return shown


def test_every_command_has_a_heading_and_every_heading_is_a_command() -> None:
    assert re.findall(r"^##+ (.+)$", PAGE, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_in_its_table(name: str) -> None:
    options = _options(COMMANDS[name])
    rows = re.findall(r"^\| `([^`]+)` \|", _section(name), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == options


@pytest.mark.parametrize("name", COMMANDS)
def test_every_exit_code_that_the_help_names_is_on_the_page(name: str) -> None:
    codes = re.findall(r"^  (\d+) ", (COMMANDS[name].epilog or "").partition("exit codes:")[2], re.MULTILINE)
    word = "relay" if name == "consume" else name.split(maxsplit=1)[0]
    section = re.search(rf"^## [^\n]*`{word}`.*?(?=^## |\Z)", EXIT_CODES, re.DOTALL | re.MULTILINE)
    assert section
    assert set(codes) >= {"0", "1", "2"}
    assert set(codes) <= _documented(section[0]) | _documented(EXIT_CODES.partition("## Every command")[2])


def _documented(section: str) -> set[str]:
    return {code for row in table(section, "code") for code in row[0].split(", ")}


def test_the_exit_codes_of_every_command_are_those_of_the_code() -> None:
    assert _documented(EXIT_CODES.partition("## Every command")[2]) == {str(code) for code in COMMON_EXITS}
