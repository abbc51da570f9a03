"""The app: finds every ``events.py``, as the admin finds every ``admin.py``."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class EventbridgeConfig(AppConfig):
    name = "eventbridge"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from eventbridge import checks, telemetry  # noqa: F401 - they register themselves

        autodiscover_modules("events")
