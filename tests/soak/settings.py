"""Settings of every process in a soak: what takes memory and connections is switched on."""

import os
from typing import Any

from tests.settings import database

_NAME = os.environ.get("SOAK_NAME", "soak")
_URL = os.environ.get("SOAK_DATABASE_URL") or "sqlite:///:memory:"
DATABASES = {"default": database(f"{_URL}?application_name={_NAME}" if _URL.startswith("postgres") else _URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["eventbridge", "tests.soak"]
EVENTBRIDGE: dict[str, Any] = {
    "SOURCE": "/soak",
    "BROKER_URL": os.environ.get("SOAK_BROKER_URL") or "database://",
    "CONSUMERS": ["tests.soak.consumers"],
    "RELAY_LEASE": 5.0,
    "CONFIRM_TIMEOUT": 2.0,
    "HEARTBEAT": 5,
    "METRICS": True,
    "TRAIL": True,
    "TRAIL_SAMPLE": 0.1,
    "TRAIL_RETENTION": 300.0,
}

SECRET_KEY = "a soak keeps no secret"
USE_TZ = True
TIME_ZONE = "UTC"
