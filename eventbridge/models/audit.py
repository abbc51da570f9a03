"""Audit: who changed what by hand, and when; from the command line and the web alike."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Audit(models.Model):
    """One thing that somebody did. It never expires by itself."""

    class Via(models.TextChoices):
        COMMAND = "command", "command line"
        ADMIN = "admin", "admin"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    who = models.CharField(max_length=255)
    via = models.CharField(max_length=20, choices=Via)
    what = models.CharField(max_length=200, help_text="the verb, as the command line says it: dead replay")
    about = models.TextField(blank=True, help_text="which ones: their ids, or what they had in common")
    many = models.PositiveBigIntegerField(help_text="how many it changed")

    class Meta:
        db_table = "eventbridge_audit"
        verbose_name = "audit entry"
        verbose_name_plural = "audit"
        ordering = ("-id",)
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.who}: {self.what} ({self.many})"
