"""What the environment says, as Django's settings want it."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

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


def email() -> dict[str, Any]:
    """`EMAIL_URL` (smtp://user:password@host:port, smtp+tls://… or smtps://…), or `EMAIL_HOST` and friends.

    Empty where neither is given: the mail then goes to files.
    """
    url = os.environ.get("EMAIL_URL", "")
    parts = urlsplit(url or f"smtp://{os.environ.get('EMAIL_HOST', '')}:{os.environ.get('EMAIL_PORT', '25')}")
    if not parts.hostname:
        return {}
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 25),
        "EMAIL_HOST_USER": unquote(parts.username or os.environ.get("EMAIL_HOST_USER", "")),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or os.environ.get("EMAIL_HOST_PASSWORD", "")),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
    }
