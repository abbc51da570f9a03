"""Django's settings for every program of the benchmarks, ours and the peers': what differs is in the environment.

Nothing is imported here that a peer's environment lacks.
"""

import os
from typing import Any
from urllib.parse import unquote, urlsplit

PROJECT = os.environ.get("BENCH_PROJECT", "eventbridge")


def database(url: str) -> dict[str, Any]:
    """A database by its URL, as our own documentation advises for each of the two."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        options = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path[1:], "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": str(parts.port or 5432),
        # Persistent everywhere: without this Celery would connect anew for every task.
        "CONN_MAX_AGE": None,
    }


DATABASES = {"default": database(os.environ.get("BENCH_DATABASE_URL", "sqlite:///:memory:"))}
BROKER_URL = os.environ.get("BENCH_BROKER_URL", "database://")
SECRET_KEY = "a benchmark keeps no secret"  # noqa: S105
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

_APPS = {
    "eventbridge": ["eventbridge"],
    "django-outbox-pattern": ["django_outbox_pattern", "benchmarks.inside.outbox_pattern"],
    "django-celery-outbox": ["django_celery_outbox"],
}
INSTALLED_APPS = ["benchmarks.store", *_APPS.get(PROJECT, [])]

EVENTBRIDGE: dict[str, Any] = {
    "SOURCE": "/bench",
    "BROKER_URL": BROKER_URL,
    "CONSUMERS": os.environ.get("BENCH_CONSUMERS", "benchmarks.consumers.sink").split(),
}
# What somebody wants to try: BENCH_RELAY_BATCH=2000 make bench ONLY=relay
_TRIED: dict[str, Any] = {"RELAY_BATCH": int, "POLL_INTERVAL": float}
EVENTBRIDGE |= {key: kind(os.environ[f"BENCH_{key}"]) for key, kind in _TRIED.items() if f"BENCH_{key}" in os.environ}

_stomp = urlsplit(os.environ.get("BENCH_STOMP_URL", "stomp://guest:guest@127.0.0.1:61613//"))
DJANGO_OUTBOX_PATTERN = {
    "DEFAULT_STOMP_HOST_AND_PORTS": [(_stomp.hostname, _stomp.port)],
    "DEFAULT_STOMP_USERNAME": _stomp.username,
    "DEFAULT_STOMP_PASSCODE": _stomp.password,
    "DEFAULT_STOMP_VHOST": unquote(_stomp.path[1:]),
}
CELERY_OUTBOX_APP = "benchmarks.inside.celery_outbox.app"
MONITORING_METRICS_ENABLED = False
