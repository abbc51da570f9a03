"""docs/reference/checks.md against eventbridge/checks/."""

import re
from pathlib import Path

from eventbridge import checks
from tests.docs.pages import read


def test_the_page_lists_every_id_that_a_check_can_report_and_no_other() -> None:
    code = "".join(file.read_text() for file in Path(checks.__file__).parent.glob("*.py"))
    kinds = {"error": "E", "warning": "W"}
    found = re.findall(r"findings\.(error|warning)\((\d+),", code)
    reported = {f"{kinds[kind]}{int(number):03}" for kind, number in found}
    documented = re.findall(r"^\| `eventbridge\.([EW]\d{3})` \|", read("docs/reference/checks.md"), re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == reported
