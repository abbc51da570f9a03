"""Runs ``manage.py eventbridge`` in this process, and fills the tables that it looks into."""

from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from eventbridge.models import DeadLetter
from eventbridge.obituary import obituary
from eventbridge.transports import Message


class Terminal(StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@dataclass
class Answer:
    code: int
    out: str
    err: str


Run = Callable[..., Answer]


@pytest.fixture
def run() -> Run:
    """``run("dead", "list")``: its exit code, and what it wrote; ``terminal=True``: to a terminal."""

    def run(*arguments: str, terminal: bool = False) -> Answer:
        out, err = (Terminal(), Terminal()) if terminal else (StringIO(), StringIO())
        code = 0
        try:
            call_command("eventbridge", *arguments, stdout=out, stderr=err)
        except SystemExit as end:
            code = int(end.code or 0)
        return Answer(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``at_a_terminal("y\\n")``: what the person there will type; 80 columns wide."""
    monkeypatch.setenv("COLUMNS", "80")

    def types(text: str) -> None:
        monkeypatch.setattr("sys.stdin", Terminal(text))

    types("")
    return types


@pytest.fixture
def bury() -> Callable[..., DeadLetter]:
    """Writes a dead letter as a worker does."""
    numbers = iter(range(10**6))

    def bury(
        error: Exception | None = None,
        *,
        consumer: str = "shop.mail",
        type: str = "shop.order.saved.v1",  # noqa: A002
        body: bytes | None = None,
        reason: str = DeadLetter.Reason.FAILED,
        using: str = "default",
        **headers: Any,
    ) -> DeadLetter:
        event_id = f"event-{next(numbers)}"
        message = Message(
            destination="eventbridge.events",
            routing_key=type,
            id=event_id,
            type=type,
            source="/shop",
            body=body if body is not None else b'{"id": "%s"}' % event_id.encode(),
            headers=headers,
        )
        letter = obituary(consumer, message, None, DeadLetter.Reason(reason), error or ValueError("no stock"), 5)
        DeadLetter.objects.using(using).bury(letter)
        return DeadLetter.objects.using(using).get(event_id=event_id)

    return bury
