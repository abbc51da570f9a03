"""Daemons: the programs that are measured, from the outside."""

from __future__ import annotations

from contextlib import suppress

from tests.services.processes import Process

_PATIENCE = 10


def end(process: Process) -> None:
    """As a supervisor does: ask first. (A relay that is killed keeps its lease for a while.)"""
    if process.running:
        process.terminate()
        with suppress(AssertionError):
            process.wait(_PATIENCE)
    process.kill()
