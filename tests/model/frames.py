"""What eventbridge writes to its socket, as pika reads it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from pika.frame import decode_frame

from tests.model.broker import Stored


def published(chunk: bytes) -> Iterator[tuple[Stored, bool]]:
    """The messages of this chunk, all of them whole, and whether each is mandatory."""
    frames = deque(_frames(chunk))
    while frames:
        method, header, body = frames.popleft().method, frames.popleft(), b""
        while len(body) < header.body_size:
            body += frames.popleft().fragment
        yield Stored(method.exchange, method.routing_key, body, vars(header.properties)), method.mandatory


def _frames(chunk: bytes) -> Iterator[Any]:
    while chunk:
        length, frame = decode_frame(chunk)
        yield frame
        chunk = chunk[length:]
