"""Certificates: how long they hold, the brokers' and our own."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any

from eventbridge.doctor.visit import Note, broken, doubtful, fine
from eventbridge.wording import count

_DAY = 86_400.0
_SOON = 30.0
"""Days. A certificate that ends within so many is to be renewed."""


def certificate(which: str, ends: float) -> Note:
    """What is to be said of it: ``ends`` is seconds since the epoch."""
    days, name = (ends - time.time()) / _DAY, which[0].upper() + which[1:]
    if days < 0:
        return broken(f"{name} ended {count(int(-days), 'day')} ago.", "Renew it: no daemon can connect.")
    if days <= _SOON:
        mend = "Renew it before: afterwards no daemon can connect."
        return doubtful(f"{name} ends in {count(int(days), 'day')}.", mend)
    return fine(f"{which} ends in {count(int(days), 'day')}")


def own_certificate(tls: Mapping[str, str]) -> Iterator[Note]:
    """Of the client certificate by which daemons log in, if they have one."""
    if path := tls.get("cert"):
        try:
            yield certificate("the client certificate, BROKER_TLS['cert'],", _end_of(path))
        except (OSError, ValueError) as error:
            text = f"The client certificate {path} cannot be read: {error}."
            yield broken(text, "Correct BROKER_TLS['cert'], or let this user read the file.")


def _end_of(path: str) -> float:
    """The standard library reads a certificate's fields only for its own tests (CPython, Modules/_ssl.c)."""
    library: Any = ssl
    found = library._ssl._test_decode_cert(path)  # noqa: SLF001
    return ssl.cert_time_to_seconds(found["notAfter"])
