"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], timeout: float = 10, every: float = 0.01, what: str = "") -> T:
    """Call `condition` every `every` seconds until it returns something true, and return that.

    Raises AssertionError after `timeout` seconds, naming `what` and the last value. Exceptions of the
    condition itself are not caught: a test that expects them says so in its condition.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for {what or repr(condition)}, and it is still {value!r}")
        time.sleep(every)
    return value
