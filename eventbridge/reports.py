"""Django's error reports, by mail and on its debug page: they show the settings, and so BROKER_URL."""

from __future__ import annotations

from typing import Any

from django.views.debug import SafeExceptionReporterFilter

from eventbridge.wording import without_password


class WithoutPasswords(SafeExceptionReporterFilter):
    """Hides what Django hides, by names such as PASSWORD, and the passwords in all URLs.

    ``DEFAULT_EXCEPTION_REPORTER_FILTER = "eventbridge.reports.WithoutPasswords"``
    """

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        cleansed = super().cleanse_setting(key, value)
        return without_password(cleansed) if isinstance(cleansed, str) else cleansed
