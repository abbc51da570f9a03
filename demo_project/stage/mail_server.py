"""A small real mail server, which can be told to turn everybody away."""

import itertools
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

CLOSED = b"421 4.3.2 The mail server is down for maintenance"


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks SMTP on a free port of 127.0.0.1, and keeps what it accepts as `.eml` files in `directory`.

    Thread-safe. While it is told to turn callers away, it answers each with a 421 and hangs up.
    """

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.directory = directory
        self.port: int = self.server_address[1]
        self._turned_away: Iterator[int] = iter(())
        self._names = itertools.count(1)
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()

    def turn_away(self, times: int | None = None) -> None:
        """Refuse so many callers, or all of them until `welcome`."""
        self._turned_away = itertools.count() if times is None else iter(range(times))

    def welcome(self) -> None:
        """Accept mail again."""
        self._turned_away = iter(())

    def is_closed(self) -> bool:
        """Whether the caller who asks now is turned away. Counts."""
        with self._lock:
            return next(self._turned_away, None) is not None

    def keep(self, message: bytes) -> None:
        """Store one message; it appears under its name all at once."""
        number = next(self._names)
        draft = self.directory / f"{number:04}.part"
        draft.write_bytes(message)
        draft.rename(self.directory / f"{number:04}.eml")


class _Session(socketserver.StreamRequestHandler):
    """One caller."""

    server: MailServer
    timeout = 10

    def handle(self) -> None:
        if self.server.is_closed():
            self._say(CLOSED)
            return
        self._say(b"220 bookstore.example ready")
        for line in iter(self.rfile.readline, b""):
            verb = line[:4].upper().strip()
            self._answer(verb)
            if verb == b"QUIT":
                return

    def _answer(self, verb: bytes) -> None:
        if verb == b"DATA":
            self._say(b"354 go on, and end with a dot")
            self.server.keep(self._read_message())
        answers = {
            b"EHLO": b"250-bookstore.example\r\n250 8BITMIME",
            b"QUIT": b"221 goodbye",
            b"DATA": b"250 taken",
        }
        known = verb in (b"HELO", b"MAIL", b"RCPT", b"RSET", b"NOOP")
        self._say(answers.get(verb, b"250 yes" if known else b"502 not understood"))

    def _read_message(self) -> bytes:
        """Until the line with only a dot; other leading dots were doubled by the sender (RFC 5321, 4.5.2)."""
        lines = iter(self.rfile.readline, b".\r\n")
        return b"".join(line[1:] if line.startswith(b"..") else line for line in lines)

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")
