"""The testing kit as pytest fixtures. They need pytest-django, whose ``db`` each of them asks for.

Pytest loads this before there are settings: nothing here imports Django, and a run that uses none
of it loads none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest


def _kit(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(import_module("eventbridge.testing"), name)
    return found


@pytest.fixture
def captured_events(db: None) -> Callable[..., Any]:
    """``captured_events(OrderPlaced)``: the events that were emitted so far."""
    return _kit("captured_events")


@pytest.fixture
def forget_events(db: None) -> Callable[..., None]:
    """``forget_events()``: what was emitted so far is none of this test's business."""
    return _kit("forget_events")


@pytest.fixture
def deliver(db: None) -> Callable[..., Any]:
    """``deliver()``: hand what was emitted to the consumers' handlers, here and now."""
    return _kit("deliver")


@pytest.fixture
def assert_published(db: None) -> Callable[..., Any]:
    """``assert_published(OrderPlaced, item="lamp")``: there is such an event."""
    return _kit("assert_published")


@pytest.fixture
def assert_published_once(db: None) -> Callable[..., Any]:
    """``assert_published_once(OrderPlaced, item="lamp")``: there is one such event, no more."""
    return _kit("assert_published_once")


@pytest.fixture
def assert_not_published(db: None) -> Callable[..., None]:
    """``assert_not_published(OrderPlaced)``: there is no such event."""
    return _kit("assert_not_published")
