"""The crash tests' own app: its processes die where their environment tells them to."""

import os

from django.apps import AppConfig

from eventbridge import outage
from tests.crash import failpoints


class CrashConfig(AppConfig):
    name = "tests.crash"
    label = "crash"

    def ready(self) -> None:
        failpoints.arm()
        outage.REMIND_EVERY = float(os.environ.get("REMIND_EVERY", outage.REMIND_EVERY))
