"""The event bus at a glance: what is wrong, and what flows where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from eventbridge.admin.glance import glances
from eventbridge.admin.rows import ReadOnlyAdmin, live_page
from eventbridge.diagnosis import STOPPED
from eventbridge.models import EventBus


@admin.register(EventBus)
class EventBusAdmin(ReadOnlyAdmin):
    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        """Not a list: there is one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        glance = glances.look()
        tone = "bad" if any(problem.severity == STOPPED for problem in glance.problems) else "busy"
        context = {"problems": glance.problems, "stopped": STOPPED, "tone": tone, "flow": glance.flow}
        return live_page(self, request, "bus", context, title="Event bus")
