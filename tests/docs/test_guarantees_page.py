"""docs/explanation/guarantees.md: the tests that it names exist."""

import re

from tests.docs.pages import ROOT, read, table

PAGE = read("docs/explanation/guarantees.md")


def test_every_promise_names_tests_and_each_of_them_exists() -> None:
    tests = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    held = {row[0]: re.findall(r"`(test_\w+)`", row[1]) for row in table(PAGE, "promise")}
    assert all(held.values())
    assert sorted({name for names in held.values() for name in names} - tests) == []
    promised = re.findall(r"^## (\d)\.", PAGE, re.MULTILINE)
    assert set(promised) == {row[0] for row in held if row[0].isdigit()}
