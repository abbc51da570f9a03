"""``python -m tests.growth.pages``: how long the admin's pages take while every table is long, on a real PostgreSQL."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from urllib.parse import urlencode, urlsplit, urlunsplit

import django
import psycopg
from django.db import connections
from django.test import Client
from psycopg.sql import SQL, Identifier

_EVENT_ID = """
    CREATE OR REPLACE FUNCTION pg_temp.event_id(n bigint) RETURNS text LANGUAGE sql AS $$
        SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0')
        FROM (SELECT lpad(to_hex(1770000000000 + n), 12, '0') AS h) AS made
    $$"""
_FILL = {
    # Three steps of each event, one event every five seconds; one in ten is caused by another one.
    "trail": """
        INSERT INTO eventbridge_trail (event_id, type, subject, cause, what, at, consumer, attempt, note)
        SELECT pg_temp.event_id(e), 'shop.type' || e %% 30, CASE step WHEN 2 THEN '' ELSE (e %% 5000)::text END,
            CASE e %% 10 WHEN 0 THEN pg_temp.event_id(e + 1) ELSE '' END,
            (ARRAY['recorded', 'relayed', 'handled'])[step],
            now() - e * interval '5 s' + step * interval '20 ms', CASE step WHEN 3 THEN 'shop.mail' ELSE '' END, 1, ''
        FROM generate_series(1, %(rows)s / 3) AS e, generate_series(1, 3) AS step""",
    "outbox": """
        INSERT INTO eventbridge_outbox (event_id, type, mandatory, headers, body)
        SELECT pg_temp.event_id(n), 'shop.type' || n %% 30, true, '', '{"data":"' || repeat('x', 400) || '"}'
        FROM generate_series(1, %(rows)s) AS n""",
    "inbox": """
        INSERT INTO eventbridge_inbox (consumer, source, event_id, attempts, handled_at)
        SELECT 'shop.' || n %% 5, '/shop/' || n %% 3, pg_temp.event_id(n), 0, now()
        FROM generate_series(1, %(rows)s) AS n""",
    "dead_letter": """
        INSERT INTO eventbridge_dead_letter (consumer, fingerprint, event_id, source, type, subject, routing_key,
            content_type, headers, body, reason, exception, error, traceback, attempts, replays, replay_attempt, lease)
        SELECT 'shop.' || n %% 5, n, pg_temp.event_id(n), '/shop', 'shop.type' || n %% 30, n, '', '', '{}',
            convert_to(repeat('x', 500), 'UTF8'), 'failed', 'ValueError', 'no stock', repeat('at ', 300), 5, 0, 0, ''
        FROM generate_series(1, %(rows)s / 10) AS n""",
}
_TABLES = tuple(f"eventbridge_{name}" for name in _FILL)
_WAITS = 0.6  # of the outbox: beyond what the trail knows
TRAIL, BUS, DEAD, INBOX, OUTBOX = (
    f"/admin/eventbridge/{model}/" for model in ("trailstep", "eventbus", "deadletter", "inboxentry", "outboxentry")
)


def fill(using: str, rows: int) -> str:
    """So many rows in the trail, the outbox and the inbox, a tenth as many dead letters; an event that waits."""
    with connections[using].cursor() as cursor:
        cursor.execute(_EVENT_ID)
        for statement in _FILL.values():
            cursor.execute(statement, {"rows": rows})
        cursor.execute(f"VACUUM ANALYZE {', '.join(_TABLES)}")
        cursor.execute("SELECT pg_temp.event_id(%s)", [int(rows * _WAITS)])
        return str(cursor.fetchone()[0])


def addresses(event: str) -> dict[str, str]:
    """The pages that change while somebody looks, and what is looked for, by name."""
    known = event[:24] + "000000000007"
    return {
        "the event bus": BUS,
        "the trail, the latest": TRAIL,
        "the trail, of one type": f"{TRAIL}?type=shop.type7",
        "the trail, of one key": f"{TRAIL}?q=31",
        "the trail, of one type and key": f"{TRAIL}?type=shop.type7&q=37",
        "the trail, a type that is not there": f"{TRAIL}?type=none",
        "the trail, between two times": f"{TRAIL}?since=2020-01-01T00:00&until=2100-01-01T00:00",
        "a journey, of an event that waits": f"{TRAIL}event/?{urlencode({'id': event})}",
        "a journey, of an event that is nowhere": f"{TRAIL}event/?{urlencode({'id': known})}",
        "the inbox, one event": f"{INBOX}?q={event}",
    }


def others() -> dict[str, str]:
    """Pages that somebody loads once."""
    return {
        "the outbox": OUTBOX,
        "the inbox": INBOX,
        "dead letters, all groups": DEAD,
        "dead letters of one consumer": f"{DEAD}?consumer=shop.1",
    }


@contextmanager
def _site() -> Iterator[Client]:
    """The test project on a PostgreSQL of its own, and somebody who may see everything."""
    from tests.services.postgresql import postgresql

    server = postgresql()
    try:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="tests.settings",
            SHOP_DATABASE_URL=_database(server.url, "pages"),
            SHOP_ARCHIVE_DATABASE_URL=_database(server.url, "pages_archive"),
            SHOP_TRAIL="1",
        )
        django.setup()
        yield _visitor()
        connections.close_all()
    finally:
        server.close()


def _database(url: str, name: str) -> str:
    with psycopg.connect(url, autocommit=True) as link:
        link.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _visitor() -> Client:
    from django.core.management import call_command

    from tests.shop.models import User

    for alias in connections:
        call_command("migrate", database=alias, verbosity=0)
    client = Client()
    client.force_login(User.objects.create_superuser("root@shop.example", "p"))
    return client


def _milliseconds(ask: Callable[[], object], times: int) -> list[float]:
    from eventbridge.admin.glance import glances

    took = []
    for _ in range(times):
        glances.forget()
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.growth.pages", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=9)
    options = parser.parse_args()
    with _site() as client:
        event = fill("default", options.rows)
        for name, address in {**addresses(event), **others()}.items():
            client.get(address)
            took = _milliseconds(lambda address=address: client.get(address), options.times)  # type: ignore[misc]
            sys.stdout.write(f"  {name:<40}{median(took):>8,.0f} ms (at most {max(took):,.0f})\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
