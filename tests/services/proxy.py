"""A bad network: a TCP proxy in front of a server, that can cut, delay, swallow and hold what passes."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

from tests.services.hosts import free_port

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset, as a broken network does


class Lane:
    """One direction of every connection through the proxy."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.passed = 0  # bytes handed on
        self.swallowed = 0
        self.tap: Callable[[], Callable[[bytes], None]] | None = None  # makes a listener for each connection
        self._swallowing = False
        self._open = threading.Event()
        self._open.set()

    def swallow(self) -> None:
        """Read and drop: the sender believes that it was sent."""
        self._swallowing = True

    def hold(self) -> None:
        """A black hole: nothing arrives, nothing is lost. `flow` lets it through."""
        self._open.clear()

    def flow(self) -> None:
        """Pass everything on again, first what was held."""
        self.delay = 0.0
        self._swallowing = False
        self._open.set()

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        """Hand on what `source` sends until it sends no more."""
        listen = self.tap() if self.tap else None
        with suppress(OSError):
            while data := source.recv(65536):
                if listen:
                    listen(data)
                time.sleep(self.delay)
                self._open.wait()
                if self._swallowing:
                    self.swallowed += len(data)
                    continue
                target.sendall(data)
                self.passed += len(data)


class Link:
    """One connection: the client's half and the server's half."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._ends = (client, server)
        self._cut = False
        self._threads: list[threading.Thread] = []

    def start(self, to_server: Lane, to_client: Lane) -> None:
        """Pump both ways, in threads of their own."""
        client, server = self._ends
        for way in ((to_server, client, server), (to_client, server, client)):
            self._threads.append(threading.Thread(target=self.serve, args=way, daemon=True))
            self._threads[-1].start()

    def serve(self, lane: Lane, source: socket.socket, target: socket.socket) -> None:
        """Pump one way; when that ends, end the whole connection, in order unless it was cut."""
        lane.pump(source, target)
        if not self._cut:
            for end in self._ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Reset both halves."""
        self._cut = True
        for end in self._ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                end.shutdown(socket.SHUT_RD)  # wakes the thread that reads it, which then lets go of it
            end.close()
        for thread in self._threads:  # until then nobody is told; one that holds something back is in no one's way
            if thread is not threading.current_thread():
                thread.join(0.5)


class Proxy:
    """Listens on a loopback port of its own and passes connections on to `host:port`, until it is told otherwise.

    `to_server` and `to_client` are the two lanes.
    """

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.port = free_port()
        self.to_server, self.to_client = Lane(), Lane()
        self.connections = 0  # how many were ever accepted
        self._live: list[Link] = []
        self._listener: socket.socket | None = None
        self.accept()

    def in_front_of(self, url: str) -> str:
        """The same URL, by way of this proxy."""
        parts = urlsplit(url)
        credentials, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}"))

    def cut(self) -> None:
        """Reset every connection; new ones are accepted."""
        live, self._live = self._live, []
        for link in live:
            link.cut()

    def refuse(self) -> None:
        """Accept nothing new, as a server that is down. Connections that exist stay: see `cut`."""
        if self._listener:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def accept(self) -> None:
        """Accept connections again."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        self.refuse()
        self.to_server.flow()
        self.to_client.flow()
        self.cut()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.connections += 1
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        link = Link(client, server)
        self._live.append(link)
        link.start(self.to_server, self.to_client)
