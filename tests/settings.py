"""Settings of the test app, for the tests themselves and for the daemons that they start.

Two databases of one vendor, `default` and `archive`. Pytest chooses the vendor by EVENTBRIDGE_TEST_DATABASE and
fills in the place (tests/conftest.py) before anything connects; daemons get theirs through SHOP_… variables. No
variable of a developer's own environment (DATABASE_URL, BROKER_URL) can lead the tests astray.
"""

import os
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import django

SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def database(url: str) -> dict[str, Any]:
    """Django's settings for `postgres://user:password@host:port/name?sslmode=…` or `sqlite:////absolute/path`."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": parts.path[1:],
            "OPTIONS": SQLITE_OPTIONS,
        }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def _default_urls() -> tuple[str, str]:
    if os.environ.get("EVENTBRIDGE_TEST_DATABASE") == "postgresql":
        return "postgres:///eventbridge", "postgres:///eventbridge_archive"
    return "sqlite:///:memory:", "sqlite:///:memory:"


_default, _archive = _default_urls()
DATABASES = {
    "default": database(os.environ.get("SHOP_DATABASE_URL") or _default),
    "archive": database(os.environ.get("SHOP_ARCHIVE_DATABASE_URL") or _archive),
}
if os.environ.get("SHOP_AUTOCOMMIT") == "off":
    DATABASES["default"]["AUTOCOMMIT"] = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "eventbridge",
    "tests.shop",
    "demo_project.bookstore",
]
AUTH_USER_MODEL = "shop.User"
EVENTBRIDGE: dict[str, Any] = {
    "SOURCE": "/shop",
    "BROKER_URL": os.environ.get("SHOP_BROKER_URL") or "database://",
}
# A daemon under test may be asked to be more impatient than the defaults.
for _key in ("RELAY_LEASE", "CONFIRM_TIMEOUT", "SHUTDOWN_TIMEOUT", "STUCK_AFTER"):
    if f"SHOP_{_key}" in os.environ:
        EVENTBRIDGE[_key] = float(os.environ[f"SHOP_{_key}"])
if "SHOP_RELAY_BATCH" in os.environ:
    EVENTBRIDGE["RELAY_BATCH"] = int(os.environ["SHOP_RELAY_BATCH"])
if "SHOP_CONSUMERS" in os.environ:
    EVENTBRIDGE["CONSUMERS"] = os.environ["SHOP_CONSUMERS"].split()
if "SHOP_TRACES" in os.environ:
    EVENTBRIDGE["TRACES"] = os.environ["SHOP_TRACES"]
for _key in ("TRAIL", "METRICS"):
    if os.environ.get(f"SHOP_{_key}"):
        EVENTBRIDGE[_key] = True
if os.environ.get("SHOP_AUTO_DECLARE") == "no":
    EVENTBRIDGE["AUTO_DECLARE"] = False


def smtp(host: str, port: int) -> dict[str, Any]:
    """The settings that send mail there: Django 6.1 has MAILERS, and warns of what was before."""
    if django.VERSION >= (6, 1):
        backend = "django.core.mail.backends.smtp.EmailBackend"
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": {"host": host, "port": port}}}}
    return {"EMAIL_HOST": host, "EMAIL_PORT": port}


globals().update(smtp(os.environ.get("SHOP_EMAIL_HOST", "127.0.0.1"), int(os.environ.get("SHOP_EMAIL_PORT", "25"))))

SECRET_KEY = "the tests keep no secret"
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "tests.urls"
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "static/"
