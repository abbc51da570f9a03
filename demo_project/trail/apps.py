"""The trail as a Django app."""

from django.apps import AppConfig


class TrailConfig(AppConfig):
    """Listens in whichever process it is installed: the site, the relay, the consumers."""

    name = "demo_project.trail"

    def ready(self) -> None:
        from . import receivers  # noqa: F401, PLC0415 - they connect themselves
