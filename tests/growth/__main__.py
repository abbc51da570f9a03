"""``python -m tests.growth``: how fast a backlog drains, from its first event to its last, on real servers.

Exit code 0: the last window is no slower than a small backlog, by more than a fifth; 1: it is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import kombu
import psycopg

from tests.soak.world import World, world

WINDOW = 50_000
_PURGE_AT = 25_000
_ALLOWED = 0.8
_BODY = (
    '{"specversion":"1.0","id":"%s","source":"/growth","type":"soak.happened.v1","time":"2026-02-03T04:05:06.000007Z",'
    '"datacontenttype":"application/json","data":{"n":1,"what":"' + "x" * 300 + '"}}'
)

_FILL = """
    INSERT INTO eventbridge_outbox (event_id, type, mandatory, headers, body)
    SELECT id, 'soak.happened.v1', true, '', replace(%s, '%%s', id)
    FROM (SELECT gen_random_uuid()::text AS id FROM generate_series(1, %s)) AS ids
"""


class Backlog:
    """An outbox of so many events, and a relay that drains it into a queue that nobody reads."""

    def __init__(self, made: World, database: psycopg.Connection[Any]) -> None:
        self.made = made
        self.database = database
        self.sizes: list[int] = []

    def drain(self, events: int, name: str) -> list[float]:
        """The rate of each window, in events a second."""
        self._fill(events)
        self.made.start("relay")
        try:
            return self._watch(events, name)
        finally:
            self.made.stop("relay")

    def _fill(self, events: int) -> None:
        """The statistics are of the empty table, as they usually are."""
        self.database.execute("TRUNCATE eventbridge_outbox")
        self.database.execute("ANALYZE eventbridge_outbox")
        self.database.execute(_FILL, [_BODY, events])
        self.database.execute("CHECKPOINT")

    def _watch(self, events: int, name: str) -> list[float]:
        rates, done, purged = [], 0, 0
        began = 0.0
        with kombu.Connection(self.made.vhost.url) as link:
            queue = link.default_channel
            while done < events:
                time.sleep(0.01)
                depth = _depth(queue)
                purged += queue.queue_purge("growth.sink") if depth > _PURGE_AT else 0
                now, done = time.monotonic(), purged + (0 if depth > _PURGE_AT else depth)
                began = began or (now if done else 0.0)
                if done >= (len(rates) + 1) * WINDOW:
                    rates.append(WINDOW / (now - began))
                    began = now
                    self._tell(name, done, rates[-1])
            queue.queue_purge("growth.sink")
        return rates

    def _tell(self, name: str, done: int, rate: float) -> None:
        row = self.database.execute(
            "SELECT pg_total_relation_size('eventbridge_outbox'), n_dead_tup FROM pg_stat_user_tables"
            " WHERE relname = 'eventbridge_outbox'"
        ).fetchone()
        assert row
        self.sizes.append(row[0])
        sys.stdout.write(f"  {name:<10}{done:>10,}{rate:>10,.0f}/s{row[0] / 2**20:>8.0f} MiB{row[1]:>11,} dead rows\n")
        sys.stdout.flush()


def _depth(channel: Any) -> int:
    return int(channel.queue_declare("growth.sink", passive=True).message_count)


@contextmanager
def snapshot(made: World) -> Iterator[None]:
    """A transaction elsewhere that is old, and does nothing."""
    with psycopg.connect(made.database) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM eventbridge_lease")
        yield


def measure(folder: Path, events: int) -> dict[str, list[float]]:
    with world(folder, settings="tests.growth.settings") as made, _connected(made) as database:
        from eventbridge.assembly import declare
        from eventbridge.topology import topology_of
        from tests.growth.sink import consumer

        declare(topology_of([consumer]))
        backlog = Backlog(made, database)
        found = {"warm": backlog.drain(WINDOW, "warm")}
        found["small"] = [rate for _ in range(3) for rate in backlog.drain(WINDOW, "small")]
        found["large"] = backlog.drain(events, "large")
        with snapshot(made):
            found["snapshot"] = backlog.drain(min(events, 8 * WINDOW), "snapshot")
        found["small again"] = [rate for _ in range(3) for rate in backlog.drain(WINDOW, "small")]
        return found


@contextmanager
def _connected(made: World) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(made.database, autocommit=True) as database:
        yield database


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.growth", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="eventbridge-growth-"))
    found = measure(folder, options.events)
    small = median(found["small"] + found["small again"])
    last = {name: median(found[name][-3:]) / small for name in ("large", "snapshot")}
    sys.stdout.write(f"\n  a small backlog: {small:,.0f}/s (median of {len(found['small']) * 2})\n")
    for name, ratio in last.items():
        sys.stdout.write(f"  the end of the {name} one: {ratio:.2f} of that (the last three windows' median)\n")
    path = folder / "growth.json"
    path.write_text(json.dumps({"windows": found, "last": last, "small": small}, indent=1) + "\n")
    sys.stdout.write(f"  {path}\n")
    return 0 if min(last.values()) >= _ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
