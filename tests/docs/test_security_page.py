"""SECURITY.md: everything that it says cannot be done is held by tests that exist."""

import re

from tests.docs.pages import ROOT, read, table

PAGE = read("SECURITY.md")
HEADINGS = ("they cannot", "it cannot", "nobody can")


def _tests() -> set[str]:
    texts = [file.read_text() for file in (ROOT / "tests").rglob("test_*.py")]
    return {name for text in texts for name in re.findall(r"^\s*(?:async )?def (test_\w+)", text, re.MULTILINE)}


def test_every_cannot_names_its_tests_and_each_of_them_exists() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    rows = [
        row
        for section in sections
        for heading in HEADINGS
        if f"| {heading} |" in section
        for row in table(section, heading)
    ]
    named = {row[0]: re.findall(r"`(test_\w+)`", row[1]) for row in rows}
    assert len(named) >= 15
    assert [what for what, names in named.items() if not names] == []
    assert sorted({name for names in named.values() for name in names} - _tests()) == []


def test_it_says_how_to_report_and_what_is_supported() -> None:
    for words in (
        "## Report a vulnerability",
        "private advisory",
        "## Supported versions",
        "Please do not open an issue",
    ):
        assert words in PAGE
