"""The crash tests' own app: its processes die where their environment tells them to."""

from django.apps import AppConfig

from tests.crash import failpoints


class CrashConfig(AppConfig):
    name = "tests.crash"
    label = "crash"

    def ready(self) -> None:
        failpoints.arm()
