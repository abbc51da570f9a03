"""What each event did, for people and for programs."""

from dataclasses import asdict

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .. import journal
from .rights import needs


@require_safe
@never_cache
def event_list(request: HttpRequest) -> HttpResponse:
    """The newest events' ways, what waits and what was given up, and the daemons that are there."""
    pages = {
        "ways": journal.ways(),
        "waiting": journal.waiting(),
        "dead": journal.dead(),
        "daemons": journal.daemons(),
    }
    return render(request, "bookstore/event_list.html", pages)


@require_safe
@never_cache
@needs("eventbridge.view_deadletter")
def event_json(request: HttpRequest) -> HttpResponse:
    """The same as JSON."""
    return JsonResponse(
        {
            "ways": [asdict(way) for way in journal.ways()],
            "waiting": [asdict(event) for event in journal.waiting()],
            "dead": [asdict(event) for event in journal.dead()],
            "daemons": [asdict(daemon) for daemon in journal.daemons()],
        }
    )
