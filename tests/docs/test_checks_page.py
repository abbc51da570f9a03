"""docs/reference/checks.md against eventbridge/checks.py."""

import re
from pathlib import Path

from eventbridge import checks
from tests.docs.pages import read


def test_the_page_lists_every_id_that_a_check_can_report_and_no_other() -> None:
    code = Path(checks.__file__).read_text()
    kinds = {"_error": "E", "_warning": "W"}
    reported = {f"{kinds[kind]}{int(number):03}" for kind, number in re.findall(r"(_error|_warning)\((\d+),", code)}
    documented = re.findall(r"^\| `eventbridge\.([EW]\d{3})` \|", read("docs/reference/checks.md"), re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == reported
