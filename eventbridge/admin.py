"""The admin: outbox, inbox and dead letters to look at, and the command line's verbs as actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from eventbridge.models import DeadLetter, InboxEntry, OutboxEntry
from eventbridge.models.dead_letter import DeadLetterQuerySet
from eventbridge.models.outbox import OutboxQuerySet
from eventbridge.wording import count, plain, pretty


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in django-stubs alone
    """Rows to look at. They change by actions only, each of which is in the admin's log."""

    show_full_result_count = False
    actions_on_bottom = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody edits a row; `may_change` is what actions ask."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes what is in somebody's hands: actions do, by their verbs."""
        return False

    def has_may_change_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)

    def has_may_delete_permission(self, request: HttpRequest) -> bool:
        return super().has_delete_permission(request)

    def carry_out(
        self, request: HttpRequest, chosen: QuerySet[Any], verb: Callable[[Any], int], done: str, flag: int
    ) -> None:
        """Apply a verb of the QuerySet to these rows, write it in the admin's log, and say how many it changed."""
        rows = list(chosen)
        changed = verb(self.model.objects.using(chosen.db).filter(pk__in=[row.pk for row in rows]))
        LogEntry.objects.log_actions(request.user.pk, rows, flag, done)  # type: ignore[arg-type]
        name = count(changed, str(self.opts.verbose_name), str(self.opts.verbose_name_plural))
        level = messages.SUCCESS if changed else messages.WARNING
        self.message_user(request, f"{name} {done}.", level)


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = ("id", "consumer", "type", "subject", "reason", "what_failed", "attempts", "died_at", "replay_state")
    list_filter = ("reason", "consumer", "type", "exception", "died_at")
    search_fields = ("event_id", "subject", "error")
    date_hierarchy = "died_at"
    actions = ("replay", "discard")
    fields = (
        "consumer", "reason", "exception", "error", "attempts", "died_at", "replays", "replay_state", "event_id",
        "type", "source", "subject", "routing_key", "content_type", "headers_text", "redacted", "traceback_text",
        "body_text",
    )  # fmt: skip
    readonly_fields = ("replay_state", "headers_text", "traceback_text", "body_text")

    def get_queryset(self, request: HttpRequest) -> DeadLetterQuerySet:
        return cast("DeadLetterQuerySet", super().get_queryset(request)).seen()

    @admin.display(description="error")
    def what_failed(self, letter: DeadLetter) -> str:
        return plain(Truncator(letter.error).chars(80))

    @admin.display(description="replay")
    def replay_state(self, letter: DeadLetter) -> str:
        return letter.replay_state

    @admin.display(description="traceback")
    def traceback_text(self, letter: DeadLetter) -> SafeString:
        return _block(plain(letter.traceback, keep="\n"))

    @admin.display(description="body")
    def body_text(self, letter: DeadLetter) -> SafeString:
        return _block(pretty(letter.shown_body))

    @admin.display(description="headers")
    def headers_text(self, letter: DeadLetter) -> str:
        return ", ".join(f"{name}: {value}" for name, value in letter.shown_headers.items())

    @admin.action(permissions=["may_change"], description="Replay: have their consumer handle them again")
    def replay(self, request: HttpRequest, chosen: DeadLetterQuerySet) -> None:
        self.carry_out(request, chosen.resting(), DeadLetterQuerySet.replay, "marked for replay", CHANGE)

    @admin.action(permissions=["may_delete"], description="Discard: delete them, for good")
    def discard(self, request: HttpRequest, chosen: DeadLetterQuerySet) -> None:
        self.carry_out(request, chosen.not_in_hand(), DeadLetterQuerySet.discard, "discarded", DELETION)


@admin.register(OutboxEntry)
class OutboxEntryAdmin(ReadOnlyAdmin):
    list_display = ("id", "type", "event_id", "created_at", "parked_at", "why_parked")
    list_filter = (("parked_at", admin.EmptyFieldListFilter), "type")
    search_fields = ("event_id", "parked_reason")
    actions = ("retry", "discard")
    fields = (
        "event_id", "type", "mandatory", "created_at", "parked_at", "parked_reason", "headers", "body_text",
    )  # fmt: skip
    readonly_fields = ("body_text",)

    @admin.display(description="why parked")
    def why_parked(self, entry: OutboxEntry) -> str:
        return plain(Truncator(entry.parked_reason).chars(80))

    @admin.display(description="body")
    def body_text(self, entry: OutboxEntry) -> SafeString:
        return _block(pretty(entry.body.encode()))

    @admin.action(permissions=["may_change"], description="Retry: give parked events back to the relay")
    def retry(self, request: HttpRequest, chosen: OutboxQuerySet) -> None:
        self.carry_out(request, chosen.parked(), OutboxQuerySet.retry, "given back to the relay", CHANGE)

    @admin.action(permissions=["may_delete"], description="Discard: delete parked events, for good")
    def discard(self, request: HttpRequest, chosen: OutboxQuerySet) -> None:
        self.carry_out(request, chosen.parked(), OutboxQuerySet.discard, "discarded", DELETION)


@admin.register(InboxEntry)
class InboxEntryAdmin(ReadOnlyAdmin):
    list_display = ("id", "consumer", "source", "event_id", "handled_at", "attempts")
    list_filter = ("consumer",)
    search_fields = ("=event_id",)
    ordering = ("-id",)


def _block(text: str) -> SafeString:
    return format_html('<pre style="white-space: pre-wrap; margin: 0">{}</pre>', text)
