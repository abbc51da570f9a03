"""Dead letters: by what they have in common, one by one with their story, replayed and discarded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.models import CHANGE, DELETION
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import Truncator

from eventbridge.admin.databases import PARAMETER, in_database
from eventbridge.admin.deeds import Deed
from eventbridge.admin.rows import ReadOnlyAdmin, journey_url, may_view, moment, time_column
from eventbridge.conf import settings
from eventbridge.models import DeadLetter, TrailStep
from eventbridge.models.dead_letter import DeadLetterQuerySet
from eventbridge.wording import age, plain, pretty

REPLAY = Deed(
    command="dead replay",
    verb=DeadLetterQuerySet.replay,
    done="marked for replay",
    question="Their consumer handles them again, with fresh attempts. Mend the cause first, and begin with a few.",
    flag=CHANGE,
)
DISCARD = Deed(
    command="dead discard",
    verb=DeadLetterQuerySet.discard,
    done="discarded",
    question="They are deleted, for good: nobody will handle them. It cannot be undone.",
    flag=DELETION,
)
_ALIKE = ("consumer", "type", "reason", "exception")
_MOST_GROUPS = 50


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = ("what_failed", "consumer", "type", "key", "attempts", "died", "replay_state")
    search_fields = ("event_id__exact", "subject__exact", "error")
    search_help_text = "An event's id or key, or words of the error"
    ordering = ("-id",)  # by an index; as good as by died_at
    actions = ("replay", "discard")
    change_list_template = "eventbridge/dead_letters.html"
    change_form_template = "eventbridge/row.html"
    died = time_column("died_at", "died at")

    def get_queryset(self, request: HttpRequest) -> DeadLetterQuerySet:
        return cast("DeadLetterQuerySet", super().get_queryset(request)).seen().defer("body", "traceback")

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        chosen = {name: request.GET[name] for name in _ALIKE if name in request.GET}
        more: dict[str, Any] = {"alike": chosen, **self._deeds(request)}
        if set(request.GET) <= {PARAMETER} and request.method == "GET":
            more["groups"] = list(self._groups(request))
        return more

    def _groups(self, request: HttpRequest) -> Iterator[dict[str, Any]]:
        reasons = dict(DeadLetter.Reason.choices)
        letters = cast("DeadLetterQuerySet", super().get_queryset(request))
        for group in letters.groups()[:_MOST_GROUPS]:
            query = urlencode({**{name: group[name] for name in _ALIKE}, **in_database(letters.db)})
            ages = {name: age((group["now"] - group[name]).total_seconds()) for name in ("first", "last")}
            yield {**group, **ages, "query": query, "why": reasons[group["reason"]]}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        letter = self.get_object(request, object_id)
        more = self._story(letter) if letter and self.has_view_permission(request, letter) else {}
        context = {**self.context(request), **more, **self._deeds(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def _deeds(self, request: HttpRequest) -> dict[str, Any]:
        deeds = ((REPLAY, self.has_may_change_permission), (DISCARD, self.has_may_delete_permission))
        return {"deeds": [deed for deed, may in deeds if may(request)]}

    def _story(self, letter: DeadLetter) -> dict[str, Any]:
        headers = "\n".join(f"{name}: {value}" for name, value in letter.shown_headers.items())
        return {
            "title": f"{letter.consumer} gave up on {letter.type or 'a message'}",
            "event_id": letter.event_id,
            "state": letter.replay_state or "dead",
            "tone": "busy" if letter.replay_at else "bad",
            "complaint": f"{letter.exception}: {plain(letter.error, keep=chr(10))}",
            "facts": _facts(letter),
            "texts": [
                ("Payload", pretty(letter.shown_body)),
                ("Traceback", plain(letter.traceback, keep="\n")),
                ("Headers", plain(headers, keep="\n")),
            ],
        }

    @admin.display(description="error")
    def what_failed(self, letter: DeadLetter) -> str:
        return plain(Truncator(f"{letter.exception.rpartition('.')[2]}: {letter.error}").chars(80))

    @admin.display(description="key")
    def key(self, letter: DeadLetter) -> str:
        return letter.subject

    @admin.display(description="replay")
    def replay_state(self, letter: DeadLetter) -> str:
        return letter.replay_state

    @admin.action(permissions=["may_change"], description="Replay: have their consumer handle them again")
    def replay(self, request: HttpRequest, chosen: DeadLetterQuerySet) -> HttpResponse | None:
        alone = list(chosen.order_by().values_list("event_id", flat=True)[:2])
        answer = self.carry_out(request, chosen.resting(), REPLAY)
        watches = answer is None and len(alone) == 1 and settings.TRAIL
        return redirect(journey_url(self, alone[0])) if watches and may_view(self, request, TrailStep) else answer

    @admin.action(permissions=["may_delete"], description="Discard: delete them, for good")
    def discard(self, request: HttpRequest, chosen: DeadLetterQuerySet) -> HttpResponse | None:
        return self.carry_out(request, chosen.not_in_hand(), DISCARD)


def _facts(letter: DeadLetter) -> list[tuple[str, Any]]:
    redacted = ", ".join(letter.redacted)
    facts = [
        ("Why", letter.get_reason_display()),
        ("Consumer", letter.consumer),
        ("Event type", letter.type),
        ("Key", letter.subject),
        ("Event id", letter.event_id),
        ("Source", letter.source),
        ("Attempts", letter.attempts),
        ("Died", moment(letter.died_at)),
        ("Replays", letter.replays),
        ("Routing key", letter.routing_key if letter.routing_key != letter.type else ""),
        ("Content type", letter.content_type),
        ("Redacted", redacted),
    ]
    return [(name, plain(value) if isinstance(value, str) else value) for name, value in facts if value]
