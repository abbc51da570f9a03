"""Findings: what a check reports, with an id that docs/reference/checks.md explains."""

from __future__ import annotations

from django.core.checks import Error, Warning  # noqa: A004


def error(number: int, text: str, hint: str = "") -> Error:
    return Error(text, hint=hint or None, id=f"eventbridge.E{number:03}")


def warning(number: int, text: str, hint: str = "") -> Warning:
    return Warning(text, hint=hint or None, id=f"eventbridge.W{number:03}")
