"""Settings of the fuzzed process: everything that looks at a message is on."""

import faulthandler
import os
import signal
from typing import Any

from tests.settings import database

DATABASES = {"default": database(os.environ.get("FUZZ_DATABASE_URL") or "sqlite:///:memory:")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["eventbridge", "tests.fuzz"]
EVENTBRIDGE: dict[str, Any] = {
    "SOURCE": "/fuzz",
    "BROKER_URL": os.environ.get("FUZZ_BROKER_URL") or "database://?lease=5",
    "CONSUMERS": ["tests.fuzz.consumers"],
    "TRAIL": True,
    "METRICS": True,
}
# A process that is stuck tells where each of its threads is.
faulthandler.register(signal.SIGUSR1)

SECRET_KEY = "a fuzzing run keeps no secret"
USE_TZ = True
TIME_ZONE = "UTC"
