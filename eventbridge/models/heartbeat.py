"""Heartbeat: what a daemon last said of itself, for whoever reads only the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models.functions import Now

ALIVE = timedelta(seconds=30)


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def beat(self, process: str, role: str, name: str, state: str, figures: dict[str, Any]) -> None:
        """Say that ``process`` is there, and how it is doing."""
        self.update_or_create(
            process=process,
            role=role,
            name=name,
            defaults={"state": state, "figures": figures, "seen_at": Now()},
        )

    def leave(self, process: str) -> None:
        """``process`` stopped as it should."""
        self.filter(process=process).delete()

    def alive(self) -> HeartbeatQuerySet:
        """Those that were seen lately."""
        return self.filter(seen_at__gt=Now() - ALIVE)

    def sweep(self) -> None:
        """Forget those that have been gone for a day."""
        self.filter(seen_at__lt=Now() - timedelta(days=1)).delete()


class Heartbeat(models.Model):
    """One relay or consumer in one process. ``figures`` are what only that process can see."""

    id = models.BigAutoField(primary_key=True)
    process = models.CharField(max_length=255)
    role = models.CharField(max_length=20, choices=(("relay", "relay"), ("consumer", "consumer")))
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=40)
    figures = models.JSONField(default=dict)
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        db_table = "eventbridge_heartbeat"
        constraints = (models.UniqueConstraint(fields=("process", "role", "name"), name="eventbridge_heartbeat_once"),)

    def __str__(self) -> str:
        return f"{self.role} {self.name} {self.process}"
