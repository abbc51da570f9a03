"""The outbox and the inbox, and the audit: what waits, what was handled, and who changed what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, DELETION
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator

from eventbridge.admin.deeds import Deed
from eventbridge.admin.rows import ReadOnlyAdmin, moment, time_column
from eventbridge.event import event_types
from eventbridge.models import Audit, InboxEntry, OutboxEntry
from eventbridge.models.outbox import OutboxQuerySet
from eventbridge.wording import plain, pretty

RETRY = Deed(
    command="outbox retry",
    verb=OutboxQuerySet.retry,
    done="given back to the relay",
    question="The relay publishes them again. Mend the reason first, such as by starting the consumer that wants them.",
    flag=CHANGE,
)
DISCARD = Deed(
    command="outbox discard",
    verb=OutboxQuerySet.discard,
    done="discarded",
    question="They are deleted, for good: nobody will ever receive them. It cannot be undone.",
    flag=DELETION,
)


class State(admin.SimpleListFilter):
    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("pending", "pending"), ("parked", "parked")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(parked_at__isnull=self.value() == "pending") if self.value() else queryset


class KnownTypes(admin.SimpleListFilter):
    """The event types that this process knows: a DISTINCT over a large table would take seconds."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(kind.name for kind in event_types.values())]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(OutboxEntry)
class OutboxEntryAdmin(ReadOnlyAdmin):
    list_display = ("type", "event_id", "recorded", "parked", "why_parked")
    list_filter = (State, KnownTypes)
    search_fields = ("event_id__exact",)
    search_help_text = "An event's id"
    actions = ("retry", "discard")
    recorded = time_column("created_at", "recorded at")
    parked = time_column("parked_at", "parked at")
    change_form_template = "eventbridge/row.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        entry = self.get_object(request, object_id)
        more = self._story(request, entry) if entry and self.has_view_permission(request, entry) else {}
        context = {**self.context(request), **more, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def _story(self, request: HttpRequest, entry: OutboxEntry) -> dict[str, Any]:
        deeds = ((RETRY, self.has_may_change_permission), (DISCARD, self.has_may_delete_permission))
        facts = [
            ("Event type", entry.type),
            ("Event id", entry.event_id),
            ("Recorded", moment(entry.created_at)),
            ("Parked", moment(entry.parked_at)),
            ("Somebody must want it", "yes" if entry.mandatory else "no"),
        ]
        return {
            "title": entry.type,
            "event_id": entry.event_id,
            "state": "parked" if entry.parked_at else "waits for the relay",
            "tone": "bad" if entry.parked_at else "busy",
            "complaint": plain(entry.parked_reason),
            "facts": [(name, value) for name, value in facts if value],
            "texts": [("Payload", pretty(entry.body.encode())), ("Headers", plain(entry.headers))],
            "deeds": [deed for deed, may in deeds if entry.parked_at and may(request)],
        }

    @admin.display(description="why parked")
    def why_parked(self, entry: OutboxEntry) -> str:
        return plain(Truncator(entry.parked_reason).chars(80))

    @admin.action(permissions=["may_change"], description="Retry: give parked events back to the relay")
    def retry(self, request: HttpRequest, chosen: OutboxQuerySet) -> HttpResponse | None:
        return self.carry_out(request, chosen.parked(), RETRY)

    @admin.action(permissions=["may_delete"], description="Discard: delete parked events, for good")
    def discard(self, request: HttpRequest, chosen: OutboxQuerySet) -> HttpResponse | None:
        return self.carry_out(request, chosen.parked(), DISCARD)


@admin.register(InboxEntry)
class InboxEntryAdmin(ReadOnlyAdmin):
    list_display = ("event_id", "consumer", "source", "handled", "attempts")
    search_fields = ("event_id__exact",)
    search_help_text = "An event's id"
    ordering = ("-id",)
    handled = time_column("handled_at", "handled at")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By the one index that there is."""
        event_id = search_term.strip()
        return (queryset.of_event(event_id) if event_id else queryset), False


@admin.register(Audit)
class AuditAdmin(ReadOnlyAdmin):
    list_display = ("when", "who", "via", "what", "many", "which")
    list_display_links = None
    search_fields = ("who",)
    search_help_text = "Who did it"
    ordering = ("-id",)
    when = time_column("at", "at")

    @admin.display(description="which")
    def which(self, entry: Audit) -> str:
        return plain(Truncator(entry.about).chars(120))
