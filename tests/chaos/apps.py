"""The chaos run's own app: its tables, a note of every nack, and the end of its processes when the run was killed."""

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig

from eventbridge import telemetry
from tests.chaos.notes import note


class ChaosConfig(AppConfig):
    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        if "CHAOS_INCARNATION" in os.environ:
            threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()
            telemetry.published.connect(_note_nacks)


def _note_nacks(entries: Sequence[Any], outcomes: Sequence[Any], **told: Any) -> None:
    for entry, outcome in zip(entries, outcomes, strict=False):
        if outcome and outcome.state == "nacked":
            note("nacked", entry.event_id)


def _follow(parent: int) -> None:
    """No process of a run outlives it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
