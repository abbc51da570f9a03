"""Visitors of the admin, and rows for them to look at."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from eventbridge.admin.glance import glances
from eventbridge.models import TrailStep
from eventbridge.models.trail import NewStep
from tests.cli.conftest import bury  # noqa: F401 - a fixture
from tests.shop.models import User


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Nobody has looked yet."""
    glances.forget()


@pytest.fixture
def visitor(client: Client) -> Callable[..., Client]:
    """A member of staff with these permissions of eventbridge's models, logged in."""

    def log_in(*codenames: str) -> Client:
        user = User.objects.create_user("staff@shop.example", "p", is_staff=True)
        user.user_permissions.set(
            Permission.objects.filter(content_type__app_label="eventbridge", codename__in=codenames)
        )
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def walk(db: None) -> Callable[..., None]:
    """``walk("a", "recorded", "relayed 12", "handled 85 shop.mail")``: steps, so many milliseconds after its start."""

    def walk(event_id: str, *steps: str, kind: str = "shop.order.saved.v1", key: str = "", **more: Any) -> None:
        began = more.pop("at", None) or datetime.now(UTC) - timedelta(minutes=1)
        new = []
        for words in steps:
            what, after, consumer = [*words.split(), "", ""][:3]
            at = began + timedelta(milliseconds=int(after or 0))
            new.append(
                NewStep(event_id, kind, key, more.get("cause", ""), what, at, consumer, note=more.get("note", ""))
            )
        TrailStep.objects.write(new)

    return walk
