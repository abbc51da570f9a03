"""Settings of every process in a chaos run. Impatient, so that time-outs happen within seconds."""

import faulthandler
import os
import signal
from typing import Any

from tests.chaos.endings import SHUTDOWN
from tests.settings import database

DATABASES = {"default": database(os.environ.get("CHAOS_DATABASE_URL") or "sqlite:///:memory:")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["eventbridge", "tests.chaos"]
CONSUMERS = [f"tests.chaos.consumers.{name}" for name in ("atomic", "batch", "ordered", "outside")]
EVENTBRIDGE: dict[str, Any] = {
    "SOURCE": "/chaos",
    "BROKER_URL": os.environ.get("CHAOS_BROKER_URL") or "database://?lease=2",
    "CONSUMERS": CONSUMERS,
    "RELAY_BATCH": 50,
    "RELAY_LEASE": 4.0,
    "CONFIRM_TIMEOUT": 1.8,
    "HEARTBEAT": 2,
    "SHUTDOWN_TIMEOUT": SHUTDOWN,
}
# A process that is stuck tells where each of its threads is.
faulthandler.register(signal.SIGUSR1)

SECRET_KEY = "a chaos run keeps no secret"
USE_TZ = True
TIME_ZONE = "UTC"
