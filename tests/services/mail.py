"""A real SMTP server, which can refuse, and go down and come back."""

import email
import email.policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.services.hosts import free_port
from tests.services.waiting import wait_for


class MailServer:
    """Listens on a loopback port of its own. `messages` are those that it accepted, in order."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        self.port = free_port()
        self.messages: list[EmailMessage] = []
        self.attempts = 0  # messages offered, accepted or not
        self._refusal: str | None = None
        self._controller: Controller | None = None
        self.up()

    def up(self) -> None:
        """Listen (again), on the same port."""
        if self._controller is None:
            self._controller = Controller(self, hostname=self.host, port=self.port)
            self._controller.start()

    def down(self) -> None:
        """Listen no more: connections are refused."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def refuse(self, answer: str = "451 try again later") -> None:
        """Answer every message with this instead of taking it."""
        self._refusal = answer

    def accept(self) -> None:
        """Take messages again."""
        self._refusal = None

    def wait_for_messages(self, count: int, timeout: float = 10) -> list[EmailMessage]:
        """The messages, as soon as there are `count` of them."""
        wait_for(lambda: len(self.messages) >= count, timeout, what=f"{count} mails, there are {len(self.messages)}")
        return self.messages

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        self.attempts += 1
        if self._refusal:
            return self._refusal
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.messages.append(message)
        return "250 taken"
