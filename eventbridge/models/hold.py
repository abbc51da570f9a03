"""Hold: a relay or a consumer that somebody paused, in all its processes."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class HoldQuerySet(models.QuerySet["Hold"]):
    def put(self, role: str, name: str, reason: str, who: str) -> None:
        """Have it stand still. Where it does already, the reason is the new one."""
        self.update_or_create(role=role, name=name, defaults={"reason": reason, "who": who, "since": Now()})

    def lift(self, role: str, name: str) -> bool:
        """Have it go on; whether it stood still."""
        return bool(self.filter(role=role, name=name).delete()[0])

    def why(self, role: str, name: str) -> str:
        """Why it is to stand still; empty if it is not."""
        return next((str(hold) for hold in self.filter(role=role, name=name)), "")


class Hold(models.Model):
    """While it is there, the daemons of that name take nothing new."""

    id = models.BigAutoField(primary_key=True)
    role = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    who = models.CharField(max_length=255)
    since = models.DateTimeField(db_default=Now())

    objects = HoldQuerySet.as_manager()

    class Meta:
        db_table = "eventbridge_hold"
        constraints = (models.UniqueConstraint(fields=("role", "name"), name="eventbridge_hold_once"),)

    def __str__(self) -> str:
        return f"{self.reason} ({self.who})" if self.reason else f"by {self.who}"
