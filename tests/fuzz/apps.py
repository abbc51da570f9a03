"""The fuzzed app: its processes are watched, and none outlives the run that started it."""

import os
import threading
import time

from django.apps import AppConfig


class FuzzConfig(AppConfig):
    name = "tests.fuzz"
    label = "fuzz"

    def ready(self) -> None:
        from tests.fuzz import witness

        witness.connect()
        if "FUZZ_CHILD" in os.environ:
            threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
