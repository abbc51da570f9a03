"""What each process holds now: asked of the kernel, of PostgreSQL and of RabbitMQ, not of the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from tests.services.rabbitmq import Vhost

TABLES = ("eventbridge_outbox", "eventbridge_heartbeat", "eventbridge_lease", "eventbridge_trail")
"""Those that forget within minutes. The inbox remembers for INBOX_RETENTION, and is as large as that takes."""
Figures = dict[str, float]


def held_by(pid: int) -> Figures:
    """Memory in bytes, open files, threads. Raises FileNotFoundError for a process that has ended."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "memory": float(status["VmRSS"].split()[0]) * 1024,
        "files": float(len(list(Path(f"/proc/{pid}/fd").iterdir()))),
        "threads": float(status["Threads"]),
    }


def database_connections(database: psycopg.Connection[Any]) -> Mapping[str, int]:
    """How many each application_name has to this database."""
    question = "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1"
    return dict(database.execute(question).fetchall())


def tables(database: psycopg.Connection[Any]) -> Figures:
    """Each table's size with its indexes, in bytes."""
    return {table: float(_one(database, "SELECT pg_total_relation_size(%s::regclass)", table)) for table in TABLES}


def pending(database: psycopg.Connection[Any]) -> int:
    return int(_one(database, "SELECT count(*) FROM eventbridge_outbox WHERE parked_at IS NULL"))


def _one(database: psycopg.Connection[Any], question: str, *parameters: object) -> Any:
    row = database.execute(question, parameters).fetchone()
    assert row
    return row[0]


def broker_links(vhost: Vhost) -> tuple[Counter[int], Counter[int]]:
    """By process id: how many connections to the virtual host, how many channels on them."""
    connections: Counter[int] = Counter()
    channels: Counter[int] = Counter()
    assert vhost.management
    for found in vhost.management.get(f"/vhosts/{quote(vhost.name, safe='')}/connections"):
        pid = _pid(found.get("client_properties", {}).get("connection_name", ""))
        connections[pid] += 1
        channels[pid] += found.get("channels", 0)
    return connections, channels


def _pid(name: str) -> int:
    """Of `eventbridge host:pid …`; 0 for somebody else's."""
    words = name.split()
    return int(words[1].rpartition(":")[2]) if len(words) > 1 and words[0] == "eventbridge" else 0
