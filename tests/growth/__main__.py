"""``python -m tests.growth``: how fast a backlog drains, from its first event to its last, on real servers.

Exit code 0: as a whole and at its end it drains no slower than a small backlog, by more than a fifth, and the outbox is
given back; 1: it is not so.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import kombu
import psycopg

from tests.growth.verdict import KEPT, Growth, problems, ratios, small
from tests.soak.world import World, world

WINDOW = 50_000
_PURGE_AT = 25_000
_VACUUMED_WITHIN = 180.0  # autovacuum looks once a minute
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
        self.filled = self.peak = 0
        """Bytes of the outbox with its indexes: with all events in it, and at most since then."""

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
        self.filled = self.peak = self.size()

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
        size, dead = self.size(), self._ask("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = %s")
        self.peak = max(self.peak, size)
        sys.stdout.write(f"  {name:<10}{done:>10,}{rate:>10,.0f}/s{size / 2**20:>8.0f} MiB{dead:>11,} dead rows\n")
        sys.stdout.flush()

    def size(self) -> int:
        return self._ask("SELECT pg_total_relation_size(%s)")

    def settled(self) -> int:
        """Its size when autovacuum has come by, or has had the time to."""
        until = time.monotonic() + _VACUUMED_WITHIN
        while (size := self.size()) > KEPT * self.filled and time.monotonic() < until:
            time.sleep(1.0)
        return size

    def _ask(self, question: str) -> int:
        row = self.database.execute(question, ["eventbridge_outbox"]).fetchone()
        assert row
        return int(row[0])


def _depth(channel: Any) -> int:
    return int(channel.queue_declare("growth.sink", passive=True).message_count)


@contextmanager
def snapshot(made: World) -> Iterator[None]:
    """A transaction elsewhere that is old, and does nothing."""
    with psycopg.connect(made.database) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM eventbridge_lease")
        yield


def measure(folder: Path, events: int) -> Growth:
    with world(folder, settings="tests.growth.settings") as made, _connected(made) as database:
        from eventbridge.assembly import declare
        from eventbridge.topology import topology_of
        from tests.growth.sink import consumer

        declare(topology_of([consumer]))
        backlog, growth = Backlog(made, database), Growth()
        windows = growth.windows
        windows["warm"] = backlog.drain(WINDOW, "warm")
        windows["small"] = [rate for _ in range(3) for rate in backlog.drain(WINDOW, "small")]
        windows["large"] = backlog.drain(events, "large")
        growth.filled, growth.peak, growth.settled = backlog.filled, backlog.peak, backlog.settled()
        with snapshot(made):
            windows["snapshot"] = backlog.drain(min(events, 8 * WINDOW), "snapshot")
        windows["small again"] = [rate for _ in range(3) for rate in backlog.drain(WINDOW, "small")]
        return growth


@contextmanager
def _connected(made: World) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(made.database, autocommit=True) as database:
        yield database


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.growth", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="eventbridge-growth-"))
    growth = measure(folder, options.events)
    found = problems(growth)
    path = folder / "growth.json"
    path.write_text(json.dumps({**asdict(growth), "small": small(growth), "problems": found}, indent=1) + "\n")
    sys.stdout.write("".join(f"  {line}\n" for line in ("", *_told(growth), *found, path)))
    return 1 if found else 0


def _told(growth: Growth) -> Iterator[str]:
    yield f"a small backlog: {small(growth):,.0f}/s"
    for name in ("large", "snapshot"):
        found = ratios(growth.windows[name], small(growth))
        yield f"the {name} one beside it: " + ", ".join(f"{what} {ratio:.2f}" for what, ratio in found.items())
    sizes = (size / 2**20 for size in (growth.filled, growth.peak, growth.settled))
    yield "the outbox: {:.0f} MiB when full, {:.0f} at most, {:.0f} when it had drained and was vacuumed".format(*sizes)


if __name__ == "__main__":
    sys.exit(main())
