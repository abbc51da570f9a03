"""The daemons: what `status` says of them, and whether each answers at the address of its health."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException

from eventbridge.diagnosis import DOCTOR, diagnose
from eventbridge.doctor.visit import Note, broken, doubtful, fine
from eventbridge.server import place_of
from eventbridge.status import Process, take_report
from eventbridge.wording import count, one_line

_PATIENCE = 2.0
_ELSEWHERE = "What is found here of the broker and the databases explains it, or its log does."
_LOOPBACK = ("127.", "localhost", "::1")
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - where they listen, not we


def look() -> Iterator[Note]:
    report = take_report()
    # The settings and the modules in CONSUMERS are told by the checks.
    report.wrong.clear()
    report.unusable.clear()
    problems = diagnose(report)
    for problem in problems:
        mend = _ELSEWHERE if problem.command == DOCTOR else problem.command
        yield problem.severity, problem.what, mend
    alive = [process for process in report.processes if process.alive]
    if not problems:
        yield fine(f"{count(len({process.process for process in alive}), 'process runs', 'processes run')}")
    for process in {process.process: process for process in alive}.values():
        if address := process.figures.get("health"):
            yield from _health(process, str(address))


def _health(process: Process, address: str) -> Iterator[Note]:
    host, port = place_of(address)
    machine = process.process.rpartition(":")[0]
    here = machine == socket.gethostname()
    if host.startswith(_LOOPBACK) and not here:
        yield fine(f"{process.process}: its health at {address} is for {machine} alone")
        return
    if host in _EVERYWHERE:
        host = "127.0.0.1" if here else machine
    try:
        status, text = _ask(host, port)
    except (OSError, HTTPException) as error:
        mend = "See whether a firewall is between, or the process hangs: its log, and /livez from its own machine."
        yield doubtful(
            f"{process.process} says that it serves its health at {address}, where nothing answers: {error}.", mend
        )
        return
    if status == 200:  # noqa: PLR2004 - HTTP's "OK"
        yield fine(f"{process.process}: {address}/livez says ok")
    else:
        yield broken(f"{process.process}: {address}/livez says: {one_line(text)}", "Start that process again.")


def _ask(host: str, port: int) -> tuple[int, str]:
    connection = HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/livez")
        response = connection.getresponse()
        return response.status, response.read(10_000).decode("utf-8", "replace")
    finally:
        connection.close()
