"""Inside faststream-outbox's environment, without Django: SQLAlchemy and asyncio, a ceiling rather than a peer."""

import asyncio
import json
import os
import sys
from urllib.parse import urlsplit, urlunsplit

from faststream import FastStream
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange
from faststream_outbox import OutboxBroker, make_outbox_table
from sqlalchemy import MetaData, insert, text
from sqlalchemy.ext.asyncio import create_async_engine

QUEUE = "bench.faststream"
_url = urlunsplit(urlsplit(os.environ["BENCH_DATABASE_URL"])._replace(scheme="postgresql+asyncpg"))

metadata = MetaData()
table = make_outbox_table(metadata, table_name="outbox")
engine = create_async_engine(_url)
outbox = OutboxBroker(engine, outbox_table=table)
rabbit = RabbitBroker(
    os.environ["BENCH_BROKER_URL"], default_channel=Channel(publisher_confirms=True, on_return_raises=True), logger=None
)
exchange = RabbitExchange(QUEUE, type=ExchangeType.TOPIC, durable=True)


@rabbit.publisher(exchange=exchange, routing_key="book.saved", persist=True, mandatory=True)
@outbox.subscriber(
    "books",
    max_workers=int(os.environ.get("BENCH_WORKERS", "4")),
    fetch_batch_size=100,
    terminal_flush_batch_size=100,
    min_fetch_interval=0.01,
)
async def relay(body: dict) -> dict:
    return body


app = FastStream(outbox, on_startup=[rabbit.connect], logger=None)


async def _prepare() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)


async def _fill(events: int) -> None:
    from benchmarks.store.books import book

    headers = {"content-type": "application/json"}
    rows = [{"queue": "books", "payload": json.dumps(book(n)).encode(), "headers": headers} for n in range(events)]
    async with engine.begin() as connection:
        await connection.execute(text("TRUNCATE outbox"))
        for start in range(0, events, 1000):
            await connection.execute(insert(table), rows[start : start + 1000])


def main() -> None:
    from benchmarks.child import serve

    loop = asyncio.new_event_loop()

    def prepare() -> None:
        """Create its table."""
        loop.run_until_complete(_prepare())

    def fill(events: int) -> None:
        """Put so many events into its outbox."""
        loop.run_until_complete(_fill(events))

    serve(prepare, fill)


if __name__ == "__main__":
    asyncio.run(app.run()) if "run" in sys.argv else main()
