"""The event bus at a glance: what is wrong, what flows where, and what is paused and resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from eventbridge.admin.answers import Answer, answer_to
from eventbridge.admin.databases import in_database
from eventbridge.admin.deeds import Deed
from eventbridge.admin.glance import Glance, glances
from eventbridge.admin.holds import PAUSE, RESUME, carry_out
from eventbridge.admin.rows import ReadOnlyAdmin, live_page
from eventbridge.diagnosis import STOPPED, Problem
from eventbridge.models import EventBus
from eventbridge.pages import plainly

_MAY = {"pause": "eventbridge.add_hold", "resume": "eventbridge.delete_hold"}


@admin.register(EventBus)
class EventBusAdmin(ReadOnlyAdmin):
    def get_urls(self) -> list[URLPattern]:
        def page(deed: Deed) -> URLPattern:
            view = plainly(self.admin_site.admin_view(self.hold_view))
            return path(f"{deed.name}/", view, {"deed": deed}, name=f"eventbridge_{deed.name}")

        return [page(PAUSE), page(RESUME), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        """Not a list: there is one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        glance = glances.look()
        return live_page(self, request, "bus", self._context(request, glance), title="Event bus")

    def _context(self, request: HttpRequest, glance: Glance) -> dict[str, Any]:
        stopped = any(problem.severity == STOPPED for problem in glance.problems)
        return {
            "problems": list(self._problems(request, glance.problems)),
            "stopped": STOPPED,
            "tone": "bad" if stopped else "busy",
            "flow": glance.flow,
            "parts": glance.parts,
            "may": {name for name, right in _MAY.items() if request.user.has_perm(right)},
        }

    def _problems(self, request: HttpRequest, problems: Any) -> Iterator[tuple[Problem, Answer | None, str]]:
        """Each with the page that answers it, and its address, if there is one that this user may see."""
        for problem in problems:
            answer = answer_to(problem.command)
            address = self._address(request, answer) if answer else ""
            yield problem, answer, address

    def _address(self, request: HttpRequest, answer: Answer) -> str:
        site = self.admin_site.name
        if answer.page in _MAY:
            may, query = request.user.has_perm(_MAY[answer.page]), answer.about
            return f"{reverse(f'{site}:eventbridge_{answer.page}')}?{urlencode(query)}" if may else ""
        may = request.user.has_perm(f"eventbridge.view_{answer.page}")
        query = {**answer.about, **in_database(answer.database)}
        return f"{reverse(f'{site}:eventbridge_{answer.page}_changelist')}?{urlencode(query)}" if may else ""

    def hold_view(self, request: HttpRequest, deed: Deed) -> HttpResponse:
        """Pause or resume ``?role=…&name=…``: ask first, then do it, and write it down."""
        if not (self.has_view_permission(request) and request.user.has_perm(_MAY[deed.name])):
            raise PermissionDenied
        part = glances.look().parts.get((request.GET.get("role", ""), request.GET.get("name", "")))
        if part is None:
            raise Http404("There is no such relay or consumer.")
        if request.method != "POST":
            context = self.context(request, title=f"{deed.name.capitalize()} the {part}?", deed=deed, part=part)
            return TemplateResponse(request, "eventbridge/hold.html", context)
        reason = request.POST.get("reason", "").strip()
        changed = carry_out(deed, part, reason, request.user.get_username())
        glances.forget()
        told = f"The {part} {deed.done if changed else 'was not paused'}."
        self.message_user(request, told, messages.SUCCESS if changed else messages.WARNING)
        return redirect(f"{self.admin_site.name}:eventbridge_eventbus_changelist")
