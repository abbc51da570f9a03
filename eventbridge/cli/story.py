"""The story of one dead letter, for a person or a program."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from eventbridge.cli.arguments import PROGRAM, option_of
from eventbridge.cli.console import Console
from eventbridge.cli.times import with_zone
from eventbridge.models import DeadLetter
from eventbridge.wording import count, one_line, plain, pretty

_TOLD = (
    "id", "consumer", "event_id", "source", "type", "subject", "routing_key", "content_type", "headers", "reason",
    "exception", "error", "attempts", "died_at", "replays", "replay_at", "redacted",
)  # fmt: skip


def as_json(letter: DeadLetter, *, whole: bool) -> dict[str, Any]:
    """Its fields; with the whole of it, the body also as text (None where it is none) and in base64."""
    database = _database(letter)
    told = {name: with_zone(getattr(letter, name), database) for name in _TOLD} | {"replay": letter.replay_state}
    told |= {"headers": letter.shown_headers}
    if whole:
        body = letter.shown_body
        told |= {"traceback": letter.traceback, "body": _text(body), "body_base64": base64.b64encode(body).decode()}
    return told


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def tell(console: Console, letter: DeadLetter) -> None:
    """What happened, the event, the traceback, the body, and what can be done."""
    console.say(f"Dead letter {letter.pk} of {one_line(letter.consumer)}", "bold")
    console.say()
    _facts(console, _what_happened(letter))
    _facts(console, _the_event(letter))
    if letter.traceback:
        _section(console, "Traceback", plain(letter.traceback, keep="\n").strip())
    size = count(len(letter.body), "byte")
    _section(console, f"Body ({size})", pretty(letter.shown_body) or "(empty)")
    option = option_of(_database(letter))
    console.say("When the cause is mended, or if nobody needs it:", "bold")
    console.say(f"  {PROGRAM} dead replay {letter.pk}{option}\n  {PROGRAM} dead discard {letter.pk}{option}")


def _database(letter: DeadLetter) -> str:
    return letter._state.db or "default"  # noqa: SLF001 - Django's own API


def _what_happened(letter: DeadLetter) -> Iterable[tuple[str, str]]:
    yield "why", letter.get_reason_display()
    yield "exception", letter.exception
    yield "error", letter.error
    yield "attempts", str(letter.attempts)
    yield "died", f"{with_zone(letter.died_at, _database(letter)):%Y-%m-%d %H:%M:%S %Z}"
    yield "replays", str(letter.replays or "")
    yield "redacted", ", ".join(letter.redacted)
    yield "now", letter.replay_state


def _the_event(letter: DeadLetter) -> Iterable[tuple[str, str]]:
    yield "event", letter.event_id
    yield "type", letter.type
    yield "source", letter.source
    yield "subject", letter.subject
    if letter.routing_key != letter.type:
        yield "routing key", letter.routing_key
    yield "content", letter.content_type
    yield from (("header", f"{name}: {value}") for name, value in letter.shown_headers.items())


def _facts(console: Console, facts: Iterable[tuple[str, str]]) -> None:
    for name, value in facts:
        if value:
            console.say(f"  {one_line(name):<11} {one_line(value)}")
    console.say()


def _section(console: Console, title: str, text: str) -> None:
    console.say(title, "bold")
    for line in text.split("\n"):
        console.say(f"  {line}")
    console.say()
