"""The tests' settings in a project that logs everything, of every library."""

import os

from tests.settings import *  # noqa: F403

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"all": {"format": "{levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "all"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOUD_LEVEL", "DEBUG")},
}
