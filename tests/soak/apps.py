"""The soak's own app: its tables, and the end of its processes when the run itself was killed."""

import os
import threading
import time

from django.apps import AppConfig


class SoakConfig(AppConfig):
    name = "tests.soak"
    label = "soak"

    def ready(self) -> None:
        if "SOAK_NAME" in os.environ:
            threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()


def _follow(parent: int) -> None:
    """No process of a run outlives it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
