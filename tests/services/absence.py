"""What a test needs and this machine does not have."""

import os
from typing import NoReturn

import pytest


def absent(why: str) -> NoReturn:
    """Leave the test out, for that reason. With CI set it fails: there nothing is left out in silence."""
    if os.environ.get("CI"):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
