"""Lease: who may do what only one process may do. The database's clock decides."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import F
from django.db.models.functions import Now


class LeaseQuerySet(models.QuerySet["Lease"]):
    def take(self, name: str, holder: str, seconds: float) -> int | None:
        """Take the lease if it is free; return its fencing token, or None: somebody holds it.

        The token grows with each change of hands, so that a former holder can be told apart.
        """
        self.get_or_create(name=name, defaults={"expires_at": Now()})
        free = self.filter(name=name, expires_at__lte=Now())
        until = Now() + timedelta(seconds=seconds)
        if not free.update(token=F("token") + 1, holder=holder, expires_at=until):
            return None
        return self.filter(name=name, holder=holder).values_list("token", flat=True).first()

    def renew(self, name: str, token: int, seconds: float) -> bool:
        """Hold it for so many seconds from now. False: it was lost."""
        held = self.filter(name=name, token=token, expires_at__gt=Now())
        return bool(held.update(expires_at=Now() + timedelta(seconds=seconds)))

    def release(self, name: str, token: int) -> None:
        """Let the next one take it at once."""
        self.filter(name=name, token=token).update(expires_at=Now())


class Lease(models.Model):
    """A named right that one process at a time holds, until it expires."""

    name = models.CharField(max_length=200, primary_key=True)
    token = models.BigIntegerField(default=0)
    holder = models.CharField(max_length=255, default="")
    expires_at = models.DateTimeField()

    objects = LeaseQuerySet.as_manager()

    class Meta:
        db_table = "eventbridge_lease"

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
