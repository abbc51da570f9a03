"""The app: finds every ``events.py``, as the admin finds every ``admin.py``."""

from importlib.util import find_spec

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
        if settings.METRICS and find_spec("prometheus_client"):  # without it a check says so
            from eventbridge import metrics

            metrics.connect()
        if settings.TRACES in ("parent", "link") and find_spec("opentelemetry"):
            from eventbridge import tracing

            tracing.connect()
