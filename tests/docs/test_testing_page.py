"""docs/reference/testing.md against the testing kit."""

import ast
import dataclasses
import inspect
import re
from typing import get_args

import pytest

from eventbridge import testing
from eventbridge.testing.hands import State
from tests.docs.pages import read, table

PAGE = read("docs/reference/testing.md")
FUNCTIONS = [name for name in testing.__all__ if name != "Settled"]


def test_every_public_name_has_a_section_of_its_own_and_is_imported_on_top() -> None:
    sections = set(re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)) - {"Fixtures"}
    assert sections == set(testing.__all__)
    [imported] = ast.parse(PAGE.partition("```python\n")[2].partition("```")[0]).body
    assert isinstance(imported, ast.ImportFrom)
    assert [name.name for name in imported.names] == sorted(testing.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_signatures_are_the_codes(name: str) -> None:
    [shown] = re.findall(rf"^{name}\((.*)\) -> .+$", PAGE, re.MULTILINE)
    [function] = ast.parse(f"def {name}({shown}): ...").body
    assert isinstance(function, ast.FunctionDef)
    signature = inspect.signature(getattr(testing, name))
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    ours = str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    assert f"({ast.unparse(function.args)})" == ours.replace("/, ", "")


def test_what_is_settled_is_all_in_the_table() -> None:
    rows = dict(table(PAGE, "attribute"))
    assert [name.strip("`") for name in rows] == [field.name for field in dataclasses.fields(testing.Settled)]
    assert re.findall(r'`"(\w+)"`', rows["`state`"]) == list(get_args(State))


def test_the_ways_to_fail_are_those_of_deliver() -> None:
    annotation = inspect.get_annotations(testing.deliver, eval_str=True)["failures"]
    rows = table(read("docs/how-to/test-your-events.md"), "`failures`")
    assert [re.findall(r'"(\w+)"', row[0])[0] for row in rows] == list(get_args(annotation))
