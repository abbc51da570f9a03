"""docs/explanation/design.md: every room of the package is on the page."""

import re

from tests.docs.pages import ROOT, read, table

PAGE = read("docs/explanation/design.md")
PACKAGE = ROOT / "eventbridge"


def test_every_module_of_the_package_is_named_with_what_is_in_it() -> None:
    named = {name.rstrip("/") for row in table(PAGE, "room") for name in re.findall(r"`([^`]+)`", row[0])}
    modules = {file.name for file in PACKAGE.glob("*.py") if file.name != "__init__.py"}
    packages = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert named == modules | packages - {"management", "migrations"}


def test_the_files_of_the_six_hops_exist() -> None:
    hops = re.findall(r"^   \d  \S+ +(\S+)  ", PAGE, re.MULTILINE)
    assert len(hops) == 6
    for hop in hops:
        name = hop.rstrip("…")
        assert (PACKAGE / name).exists() or (ROOT / name).exists(), hop
