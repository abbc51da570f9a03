"""What each event did, for programs. People look at the event trail, in the admin."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .. import journal
from .rights import needs


@require_safe
@never_cache
@needs("eventbridge.view_deadletter")
def event_json(request: HttpRequest) -> HttpResponse:
    """The newest events' ways, and what was given up."""
    return JsonResponse({"ways": journal.ways(), "dead": journal.dead()})
