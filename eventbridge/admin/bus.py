"""The event bus at a glance: what is wrong, and what flows where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from eventbridge.admin.rows import ReadOnlyAdmin, live_page
from eventbridge.diagnosis import STOPPED, diagnose
from eventbridge.flow import flow_of
from eventbridge.models import EventBus
from eventbridge.status import take_report


@admin.register(EventBus)
class EventBusAdmin(ReadOnlyAdmin):
    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        """Not a list: there is one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        report = take_report()
        problems = diagnose(report)
        tone = "bad" if any(problem.severity == STOPPED for problem in problems) else "busy"
        context = {"problems": problems, "stopped": STOPPED, "tone": tone, "flow": flow_of(report)}
        return live_page(self, request, "bus", context, title="Event bus")
