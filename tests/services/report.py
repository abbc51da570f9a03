"""What the run used and what it left out, for the end of pytest's report."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """Filled in by the fixtures, written once."""

    used: list[str] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    def use(self, name: str, version: str, how: str) -> None:
        self.used.append(f"{name} {version} ({how})")

    def write(self, terminal: Any) -> None:
        """One line for each server used, each one that could not be had, and each group of tests left out."""
        terminal.section("brokers and databases")
        for line in self.used or ["none"]:
            terminal.line(f"used: {line}")
        for name, reason in self.not_run.items():
            terminal.line(f"NOT RUN: the tests that need {name}. {reason}", yellow=True)
        for reason, count in self.left_out.items():
            terminal.line(f"left to the other run: {count} tests {reason}")
