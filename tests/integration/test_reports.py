"""Django's error reports: they show every setting, but no password of ours."""

import sys
from typing import Any

import pytest
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

URL = "amqp://shop:s3cret/s3cret@one/"


@pytest.fixture
def report(settings: Any) -> str:
    """What an administrator is mailed, in both of its forms."""
    settings.EVENTBRIDGE = {**settings.EVENTBRIDGE, "BROKER_URL": f"{URL};{URL}"}
    settings.DEFAULT_EXCEPTION_REPORTER_FILTER = "eventbridge.reports.WithoutPasswords"
    try:
        raise ValueError("a page failed")
    except ValueError:
        # As Django's own development server does, the environment is among a request's headers.
        reporter = ExceptionReporter(RequestFactory().get("/", BROKER_URL=URL), *sys.exc_info())
    return reporter.get_traceback_text() + reporter.get_traceback_html()


def test_the_settings_are_there_and_the_password_is_not(report: str):
    assert "a page failed" in report
    assert "amqp://shop:***@one/" in report
    assert "s3cret" not in report
