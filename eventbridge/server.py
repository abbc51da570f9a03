"""Server: a daemon's pages, by HTTP. It may break as it likes: the daemon does its work without."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

logger = logging.getLogger("eventbridge")

_AGAIN = 5.0
"""Seconds until the server is tried again, as where its port is still taken by the process before."""
_HIGHEST_PORT = 65535


class Page(NamedTuple):
    """An answer."""

    code: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"


def place_of(address: str) -> tuple[str, int]:
    """Host and port in ``127.0.0.1:9464``, ``[::1]:9464`` or ``:9464`` (every interface).

    Raises ValueError for anything else.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > _HIGHEST_PORT or (":" in host and host[0] + host[-1] != "[]"):
        raise ValueError(f"{address!r} is not HOST:PORT, such as 127.0.0.1:9464")
    return host.strip("[]"), int(port)


class HealthServer:
    """Serves pages at an address, in threads of its own; tries again where it cannot. ``""``: it does not."""

    def __init__(self, address: str, pages: Mapping[str, Callable[[], Page]]) -> None:
        self.address = ""
        """Where it serves, once it does: with the port that it got for port 0."""
        self._wanted = address
        self._pages = pages
        self._closed = threading.Event()

    def start(self) -> None:
        if self._wanted:
            threading.Thread(target=self._run, name="health", daemon=True).start()

    def close(self) -> None:
        """Take no more requests, soon."""
        self._closed.set()

    def _run(self) -> None:
        before = ""
        while not self._closed.is_set():
            try:
                self._serve()
            except Exception as error:  # the daemon does its work without
                if str(error) != before:
                    before = str(error)
                    logger.warning("no health server at %s, it will be tried again: %s", self._wanted, error)
            self.address = ""
            self._closed.wait(_AGAIN)

    def _serve(self) -> None:
        with _Server(place_of(self._wanted), self._pages) as server:
            self.address = server.address
            logger.info("health is served at http://%s", self.address)
            while not self._closed.is_set():
                server.handle_request()


class _Server(ThreadingHTTPServer):
    timeout = 0.5  # how long handle_request() waits, and so how soon it is closed
    block_on_close = False

    def __init__(self, place: tuple[str, int], pages: Mapping[str, Callable[[], Page]]) -> None:
        self.address_family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        self.pages = pages
        super().__init__(place, _Request)
        host, port = self.server_address[:2]
        self.address = f"[{host!s}]:{port}" if self.address_family == socket.AF_INET6 else f"{host!s}:{port}"

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's own asks the DNS for this host's name, and may wait for it

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody went away, or sent nonsense: nobody's concern."""


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5.0

    def do_GET(self) -> None:
        page = self._page()
        self.send_response(page.code)
        for name, value in (
            ("Content-Type", page.kind),
            ("Content-Length", len(page.body)),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    do_HEAD = do_GET  # noqa: N815 - its name in http.server

    def _page(self) -> Page:
        pages = self.server.pages
        try:
            find = pages.get(urlsplit(self.path).path)
            return find() if find else Page(404, f"There are {' '.join(pages)}\n".encode())
        except Exception:
            logger.exception("the health server cannot answer %s", self.path)
            return Page(500, b"The log says why.\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in http.server
        """A probe every few seconds is no news."""
