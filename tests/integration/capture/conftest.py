from collections.abc import Callable, Iterator

import msgspec
import pytest
from django.apps import apps
from django.db import connection
from django.dispatch import Signal

from eventbridge import capture
from eventbridge.capture import MODEL_SIGNALS
from eventbridge.models import OutboxEntry


@pytest.fixture(autouse=True)
def _forget_bridges() -> Iterator[None]:
    """What a test bridges lives as long as the test, not as the process."""
    bridges = list(capture.bridges)
    receivers = {signal: list(signal.receivers) for signal in MODEL_SIGNALS}
    own = {model: vars(model).get("save_base") for model in apps.get_models(include_auto_created=True)}
    yield
    capture.bridges[:] = bridges
    for signal, before in receivers.items():
        signal.receivers = before
        signal.sender_receivers_cache.clear()
    for model, save_base in own.items():
        if save_base is None and "save_base" in vars(model):
            del model.save_base
        elif save_base is not None:
            model.save_base = save_base  # type: ignore[method-assign]


@pytest.fixture
def recorded() -> Callable[..., list[dict]]:
    """The data of the events in the outbox, in the order of their ids."""

    def read(using: str = "default") -> list[dict]:
        bodies = OutboxEntry.objects.using(using).order_by("id").values_list("body", flat=True)
        return [msgspec.json.decode(body)["data"] for body in bodies]

    return read


@pytest.fixture
def envelopes() -> Callable[..., list[dict]]:
    """The whole events in the outbox, in the order of their ids."""

    def read(using: str = "default") -> list[dict]:
        return [msgspec.json.decode(body) for body in OutboxEntry.objects.using(using).values_list("body", flat=True)]

    return read


@pytest.fixture
def signal() -> Signal:
    """A custom signal of this test alone."""
    return Signal()


@pytest.fixture
def without_outbox(transactional_db: None) -> Iterator[None]:
    """The outbox's table is gone, as before the first migration."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE eventbridge_outbox RENAME TO eventbridge_outbox_gone")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE eventbridge_outbox_gone RENAME TO eventbridge_outbox")
