"""docs/reference/settings.md against eventbridge/conf.py."""

import ast
import re

from eventbridge.conf import Settings
from eventbridge.transports import SCHEMES
from tests.docs.pages import read, table

PAGE = "docs/reference/settings.md"


def test_the_page_lists_every_setting_with_its_default_and_no_other() -> None:
    documented = {row[0].strip("`"): ast.literal_eval(row[1].strip("`")) for row in table(read(PAGE), "key")}
    assert documented == {key: vars(Settings)[key] for key in Settings.__annotations__}


def test_the_page_shows_every_scheme_of_a_broker_url_and_no_other() -> None:
    documented = {scheme for row in table(read(PAGE), "URL") for scheme in re.findall(r"(\w+)://", row[0])}
    assert documented == set(SCHEMES)
