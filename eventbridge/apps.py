"""The app: finds every ``events.py``, as the admin finds every ``admin.py``."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class EventbridgeConfig(AppConfig):
    name = "eventbridge"
    verbose_name = "Event bus"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from eventbridge import checks, telemetry  # noqa: F401 - they register themselves
        from eventbridge.conf import settings

        if settings.TRAIL:
            from eventbridge import trail

            trail.connect()
        autodiscover_modules("events")
