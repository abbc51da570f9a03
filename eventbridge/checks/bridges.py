"""Bridges: what they emit, for whom, and whether they are ever called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage
from django.db import models, router
from django.db.models import signals
from django.db.models.signals import ModelSignal

from eventbridge.capture import MODEL_SIGNALS, Bridge, bridges
from eventbridge.checks import findings
from eventbridge.errors import EventbridgeError
from eventbridge.models import OutboxEntry


def check_bridges(**kwargs: Any) -> list[CheckMessage]:
    """Bridges say what they emit, and for whom."""
    return [problem for bridge in bridges for problem in _bad_bridge(bridge)]


def _bad_bridge(bridge: Bridge) -> Iterator[CheckMessage]:
    try:
        bridge.types  # noqa: B018 - reads the annotation
    except EventbridgeError as error:
        yield findings.error(12, f"{error}.", "Annotate what it returns: -> BookSaved | None.")
    names = [MODEL_SIGNALS[signal] for signal in bridge.kinds if signal in MODEL_SIGNALS]
    if names and bridge.sender is None:
        text = f"{bridge} receives {', '.join(names)} of every model there is."
        yield findings.error(13, text, "Give it a sender: @bridge(post_save, sender=Book).")
    model = bridge.model
    if isinstance(bridge.sender, str):
        yield from _bad_name(bridge)
    if model is not None and model._meta.abstract:
        text = f"{bridge} has the abstract model {model.__name__} as its sender, which sends no signal."
        yield findings.error(14, text, "Bridge the models that inherit from it.")
    elif model is not None:
        yield from _deleted_by_the_database(bridge, model)
        yield from _far_from_an_outbox(bridge, model)


def _bad_name(bridge: Bridge) -> Iterator[CheckMessage]:
    """Django's model signals know a model by its name; custom signals do not."""
    of_models = [isinstance(signal, ModelSignal) for signal in bridge.kinds]
    if bridge.model and not all(of_models):
        text = f"{bridge} is never called: a custom signal does not know its sender by the name {bridge.sender!r}."
        yield findings.error(16, text, "Give it the class itself, or no sender.")
    elif bridge.model is None and any(of_models):
        text = f"{bridge} is never called: there is no model {bridge.sender!r}."
        yield findings.error(17, text, "Write it as 'app_label.ModelName', or give it the class itself.")


def _deleted_by_the_database(bridge: Bridge, model: type[models.Model]) -> Iterator[CheckMessage]:
    """Django 6.1's DB_CASCADE deletes rows without a signal (docs/releases/6.1)."""
    if not {signals.pre_delete, signals.post_delete} & set(bridge.kinds):
        return
    cascade = getattr(models, "DB_CASCADE", None)
    for field in model._meta.get_fields():
        if cascade and isinstance(field, models.ForeignKey) and field.remote_field.on_delete is cascade:
            text = f"{bridge} is not called when the database deletes a {model.__name__} through {field.name!r}."
            hint = "Use on_delete=CASCADE there, or emit() where the parent is deleted."
            yield findings.error(15, text, hint)


def _far_from_an_outbox(bridge: Bridge, model: type[models.Model]) -> Iterator[CheckMessage]:
    """The event is written where the change is, so the router must let the outbox in there."""
    if not any(isinstance(signal, ModelSignal) for signal in bridge.kinds):
        return
    alias = router.db_for_write(model)
    if not router.allow_migrate_model(alias, OutboxEntry):
        text = (
            f"{bridge} fails every change of a {model.__name__}: the router writes it to database {alias!r}, "
            "but lets no outbox in there."
        )
        hint = (
            f"Let allow_migrate({alias!r}, 'eventbridge') return True or None, run manage.py migrate "
            f"--database {alias}, and run a relay for it: docs/how-to/use-a-second-database.md."
        )
        yield findings.error(18, text, hint)
