"""Every page: its links lead somewhere, and nothing is left out."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT

PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_page_and_a_heading(page: Path) -> None:
    for path, anchor in _LINK.findall(page.read_text()):
        target = (page.parent / path) if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in _anchors(target), f"{path}#{anchor}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, new = set(), {ROOT / "README.md"}
    while new:
        page = new.pop()
        reached.add(page)
        links = {(page.parent / path).resolve() for path, _ in _LINK.findall(page.read_text()) if path}
        new |= {link for link in links if link.suffix == ".md"} - reached
    assert [page for page in PAGES if page not in reached] == []


def test_every_decision_says_when_to_think_again() -> None:
    decisions = [page for page in (DOCS / "explanation" / "decisions").glob("*.md") if page.name != "README.md"]
    assert decisions
    assert [page.name for page in decisions if "**Revisit when**" not in page.read_text()] == []


def _anchors(page: Path) -> set[str]:
    """As code hosts make them of headings: lower case, hyphens for spaces, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
