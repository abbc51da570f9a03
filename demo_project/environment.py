"""What the environment says, as Django's settings want it."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import django
from django.core.exceptions import ImproperlyConfigured

POSTGRES = ("postgres", "postgresql")


def flag(name: str, default: bool) -> bool:
    """True for 1, true, yes and on; `default` where the variable is missing or empty."""
    value = os.environ.get(name, "").strip().lower()
    return value in ("1", "true", "yes", "on") if value else default


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated variable as a list, without empty entries."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def database(state: Path) -> dict[str, Any]:
    """`DATABASE_URL` as an entry of `DATABASES`: postgres://…, sqlite:////absolute/path, or a file in `state`."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        return _sqlite(state / "bookstore.sqlite3")
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(Path(unquote(parts.path[1:])))
    if parts.scheme not in POSTGRES:
        raise ImproperlyConfigured(f"DATABASE_URL: {parts.scheme}:// is neither postgres:// nor sqlite://")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def _sqlite(file: Path) -> dict[str, Any]:
    """A file that the site and the daemons share: writers queue up instead of failing, readers never wait."""
    file.parent.mkdir(parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": file,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def mail(files: Path) -> dict[str, Any]:
    """Django's settings for sending mail.

    To the server of `EMAIL_URL` (smtp://user:password@host:port, smtp+tls://… or smtps://…) or of `EMAIL_HOST` and
    its friends; to files in that directory where neither is given.
    """
    server = _mail_server()
    backend = "smtp" if server else "filebased"
    options = {**server, "timeout": 10} if server else {"file_path": str(files)}
    return _mail_settings(f"django.core.mail.backends.{backend}.EmailBackend", options)


def _mail_server() -> dict[str, Any]:
    host, port = os.environ.get("EMAIL_HOST", ""), os.environ.get("EMAIL_PORT") or "25"
    parts = urlsplit(os.environ.get("EMAIL_URL") or f"smtp://{host}:{port}")
    if not parts.hostname:
        return {}
    return {
        "host": parts.hostname,
        "port": parts.port or (465 if parts.scheme == "smtps" else 25),
        "username": unquote(parts.username or os.environ.get("EMAIL_HOST_USER", "")),
        "password": unquote(parts.password or os.environ.get("EMAIL_HOST_PASSWORD", "")),
        "use_ssl": parts.scheme == "smtps",
        "use_tls": parts.scheme == "smtp+tls",
    }


def _mail_settings(backend: str, options: dict[str, Any]) -> dict[str, Any]:
    """Django 6.1 has MAILERS and warns of what was before; 5.2 and 6.0 have a setting for each option."""
    if django.VERSION >= (6, 1):
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    names = {"username": "EMAIL_HOST_USER", "password": "EMAIL_HOST_PASSWORD"}
    before = {names.get(option, f"EMAIL_{option.upper()}"): value for option, value in options.items()}
    return {"EMAIL_BACKEND": backend, **before}
