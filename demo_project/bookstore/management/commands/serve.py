"""`manage.py serve`: the site, in a thread for each request, until it is told to stop."""

import signal
import threading
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from demo_project.wsgi import application


class Handler(WSGIRequestHandler):
    """One request for each connection. Browsers open some that ask for nothing: those end by themselves."""

    protocol_version = "HTTP/1.0"
    timeout = 3

    def handle(self) -> None:
        """Answer, or let go of a caller who is silent."""
        with suppress(TimeoutError):
            super().handle()


class Command(BaseCommand):
    """Like runserver, without its reloader: SIGTERM and Ctrl-C finish what runs and exit with 0."""

    help = "Serve the bookstore's site until SIGTERM or Ctrl-C. For demonstrations, not for the internet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (8000); 0 takes a free one")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        """Listen, say where, and answer until a signal comes."""
        server = self._listen(host, port)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        self.stdout.write(f"The bookstore is ready at http://{host}:{server.server_port}/")
        self.stdout.flush()
        server.serve_forever(poll_interval=0.1)
        server.server_close()

    def _listen(self, host: str, port: int) -> ThreadedWSGIServer:
        try:
            server = ThreadedWSGIServer((host, port), Handler)
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}:{port}: {error}") from error
        server.daemon_threads = False  # server_close waits for the requests that run
        server.set_app(application)
        return server
