"""The site's settings. What differs between machines comes from the environment; the defaults are for development.

DEBUG (1), SECRET_KEY, ALLOWED_HOSTS, HTTPS, BEHIND_PROXY, CSRF_TRUSTED_ORIGINS; DATABASE_URL, BROKER_URL, AUTO_DECLARE;
EMAIL_URL or EMAIL_HOST, EMAIL_PORT, …; BOOKSTORE_STATE (where the SQLite file and the mail are kept), BOOKSTORE_DEMO.
"""

import os
from pathlib import Path
from typing import Any

from demo_project import environment

ROOT = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("BOOKSTORE_STATE") or ROOT / "demo_project" / "var").resolve()

DEBUG = environment.flag("DEBUG", default=True)
BOOKSTORE_DEMO = environment.flag("BOOKSTORE_DEMO", default=DEBUG)  # offers "Publish, then fail" on a book's page
SECRET_KEY = os.environ.get("SECRET_KEY") or ("only-for-development" if DEBUG else "")
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]" if DEBUG else "")
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "eventbridge",
    "demo_project.bookstore",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "demo_project.urls"
DEFAULT_EXCEPTION_REPORTER_FILTER = "eventbridge.reports.WithoutPasswords"
WSGI_APPLICATION = "demo_project.wsgi.application"
STATIC_URL = "static/"
LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"

DATABASES = {"default": environment.database(STATE)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

EVENTBRIDGE: dict[str, Any] = {
    "BROKER_URL": os.environ.get("BROKER_URL") or "database://",
    "SOURCE": "/bookstore",
    "AUTO_DECLARE": environment.flag("AUTO_DECLARE", default=True),
    "METRICS": environment.flag("METRICS", default=False),
    "TRAIL": environment.flag("TRAIL", default=True),  # what happens to each event, for the admin's pages
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"eventbridge": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL") or "INFO"}},
}

BOOKSTORE_MAIL = STATE / "mail"  # the Mail page shows what is kept here
globals().update(environment.mail(BOOKSTORE_MAIL))
SILENCED_SYSTEM_CHECKS = ["mail.E001"]  # "development-only email backend": the site itself sends no mail
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL") or "The Bookstore <shop@bookstore.example>"

HTTPS = environment.flag("HTTPS", default=not DEBUG)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
if environment.flag("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
