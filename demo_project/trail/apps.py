"""The trail as a Django app."""

from django.apps import AppConfig
from django.conf import settings


class TrailConfig(AppConfig):
    """Listens where `BOOKSTORE_TRAIL` says so: in the site, the relay and the consumers."""

    name = "demo_project.trail"

    def ready(self) -> None:
        from . import receivers

        if getattr(settings, "BOOKSTORE_TRAIL", False):
            receivers.connect()
