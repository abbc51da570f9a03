"""The event trail: an event found by its id, its key, its type or its time; and its journey, live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings as django_settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from eventbridge.admin.rows import ReadOnlyAdmin, journey_url, live_page, may_view
from eventbridge.admin.whereabouts import whereabouts
from eventbridge.event import event_types
from eventbridge.journey import Journey, journey_of
from eventbridge.models import DeadLetter, OutboxEntry, TrailStep
from eventbridge.models.trail import TrailQuerySet
from eventbridge.pages import plainly

_PAGE = 50
_FIELDS = ("q", "type", "since", "until")


@admin.register(TrailStep)
class TrailStepAdmin(ReadOnlyAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = plainly(self.admin_site.admin_view(self.event_view))
        return [path("event/", view, name="eventbridge_event"), *super().get_urls()]

    # --- the list ----------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        sought = {name: request.GET.get(name, "").strip() for name in _FIELDS}
        if sought["q"] and "live" not in request.GET and TrailStep.objects.filter(event_id=sought["q"]).exists():
            return redirect(journey_url(self, sought["q"]))
        firsts = list(self._firsts(request, sought)[: _PAGE + 1])
        context = {
            "journeys": _journeys(firsts[:_PAGE]),
            "sought": sought,
            "older": self._older(request, firsts) if len(firsts) > _PAGE else "",
            "newest": not request.GET.get("before"),
        }
        names = sorted({kind.name for kind in event_types.values()})
        return live_page(self, request, "events", context, title="Event trail", types=names)

    def _firsts(self, request: HttpRequest, sought: Mapping[str, str]) -> TrailQuerySet:
        steps = TrailStep.objects.all()
        for lookup, value in (("subject", sought["q"]), ("type", sought["type"])):
            steps = steps.filter(**{lookup: value}) if value else steps
        for lookup, name in (("at__gte", "since"), ("at__lt", "until")):
            moment = _moment(sought[name])
            steps = steps.filter(**{lookup: moment}) if moment else steps
        at, _, pk = request.GET.get("before", "").partition("~")
        moment = _moment(at)
        return steps.firsts().before(moment, int(pk)) if moment and pk.isdecimal() else steps.firsts()

    def _older(self, request: HttpRequest, firsts: list[TrailStep]) -> str:
        last = firsts[_PAGE - 1]
        kept = {name: value for name in _FIELDS if (value := request.GET.get(name))}
        return urlencode({**kept, "before": f"{last.at.isoformat()}~{last.pk}"})

    # --- one event ---------------------------------------------------------------------------

    def event_view(self, request: HttpRequest) -> HttpResponse:
        """The journey of the event ``?id=…``."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        event_id = request.GET.get("id", "")
        steps = TrailStep.objects.journey(event_id)
        relayed = any(step.what == step.What.RELAYED for step in steps)
        found = whereabouts(
            event_id,
            in_outbox=not relayed and may_view(self, request, OutboxEntry),
            dead=may_view(self, request, DeadLetter),
        )
        context: dict[str, Any] = {
            "event_id": event_id,
            "journey": journey_of(steps) if steps else None,
            "caused": TrailStep.objects.caused_by(event_id),
            "found": found,
        }
        return live_page(self, request, "journey", context, title=f"Journey of {event_id}")


def _journeys(firsts: Iterable[TrailStep]) -> list[Journey]:
    found = TrailStep.objects.journeys([step.event_id for step in firsts])
    return [journey_of(steps) for steps in found.values() if steps]


def _moment(text: str) -> datetime | None:
    """A time as a form or a link has it; None where it is none."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    if moment and django_settings.USE_TZ and timezone.is_naive(moment):
        return timezone.make_aware(moment)
    return moment
