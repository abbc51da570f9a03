"""The broker: its URL, and TLS on the way to it. No URL is quoted as a whole: it holds a password."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.core.checks import CheckMessage
from django.db import connections

from eventbridge.checks import findings
from eventbridge.conf import settings
from eventbridge.transports import SCHEMES

_TLS_KEYS = {"ca", "cert", "key", "server_hostname"}


def bad_broker() -> Iterator[CheckMessage]:
    for url in settings.BROKER_URL.split(";"):
        yield from _bad_url(url)


def unused_tls() -> Iterator[CheckMessage]:
    if settings.BROKER_TLS and any(url.strip().startswith("amqp://") for url in settings.BROKER_URL.split(";")):
        yield findings.error(3, "EVENTBRIDGE['BROKER_TLS'] is set, but BROKER_URL says amqp://.", "Write amqps://.")


def bad_tls() -> Iterator[CheckMessage]:
    unknown = {str(key) for key in settings.BROKER_TLS} - _TLS_KEYS
    if unknown:
        hint = f"Its keys are {', '.join(sorted(_TLS_KEYS))}."
        yield findings.error(3, f"EVENTBRIDGE['BROKER_TLS'] has no key {', '.join(sorted(unknown))}.", hint)


def _bad_url(url: str) -> Iterator[CheckMessage]:
    scheme, _, rest = url.strip().partition("://")
    if not _is_parseable(url):
        hint = "Write special characters of user and password in percent-encoding (/ as %2F, @ as %40)."
        yield findings.error(3, "EVENTBRIDGE['BROKER_URL'] cannot be taken apart.", hint)
    elif scheme not in SCHEMES:
        hint = f"Begin it with one of {', '.join(f'{name}://' for name in SCHEMES)}."
        begins = f"begins with {scheme!r}" if rest and scheme.isalpha() else "has a part without a scheme"
        yield findings.error(3, f"EVENTBRIDGE['BROKER_URL'] {begins}.", hint)
    elif scheme != "database" and ("?" in rest or "#" in rest):
        hint = "Write amqp(s)://user:password@host:port/vhost; time-outs and TLS have settings of their own."
        yield findings.error(3, "EVENTBRIDGE['BROKER_URL'] has a query string, which nobody would read.", hint)
    elif scheme == "database" and (alias := rest.partition("?")[0]) and alias not in connections:
        names = f"the database {alias!r}" if not {*alias} & {*"@:/"} else "what is no alias of a database"
        yield findings.error(3, f"EVENTBRIDGE['BROKER_URL'] names {names}, which DATABASES has not.")


def _is_parseable(url: str) -> bool:
    """The value itself is never quoted: it holds a password."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
