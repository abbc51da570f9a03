"""Rows to look at, and deeds: what is done to them, once it is confirmed, and written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.formats import date_format

from eventbridge.admin.databases import AWAY, DatabaseFilter, database_of, in_database, with_database
from eventbridge.admin.deeds import Deed
from eventbridge.admin.glance import glances
from eventbridge.audit import audit, these
from eventbridge.models import Audit, DeadLetter, EventBus, InboxEntry, OutboxEntry, TrailStep
from eventbridge.pages import plainly
from eventbridge.wording import count

_MOST = 10_000
_SHOWN = 20
_TABS = (EventBus, TrailStep, OutboxEntry, DeadLetter, InboxEntry, Audit)


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # generic in django-stubs alone
    """Counts no further than 10,000: a COUNT(*) of a large table would take seconds."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return len(rows.order_by().values_list("pk")[:_MOST])


class DatabaseChangeList(ChangeList):
    """Rows whose links lead to them in their own database."""

    def url_for_result(self, result: Model) -> str:
        return with_database(super().url_for_result(result), self.root_queryset.db)


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in django-stubs alone
    """Rows to look at. They change by deeds only, each of which is confirmed, and in the audit."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each is a COUNT(*)
    paginator = CappedPaginator
    list_per_page = 50
    change_list_template = "eventbridge/list.html"

    class Media:
        css = {"all": ("eventbridge/bus.css",)}  # noqa: RUF012 - as Django declares it
        js = ("eventbridge/bus.js",)

    def get_urls(self) -> list[URLPattern]:
        """Nothing that came in a message can steer one of these pages."""
        urls = super().get_urls()
        for url in urls:
            url.callback = plainly(url.callback)
        return urls

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody edits a row; `may_change` is what deeds ask."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes what is in somebody's hands: deeds do, by their verbs."""
        return False

    def has_may_change_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)

    def has_may_delete_permission(self, request: HttpRequest) -> bool:
        return super().has_delete_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of the database that is asked for, or of the router's."""
        rows = super().get_queryset(request)
        alias = database_of(request)
        return rows.using(alias) if alias else rows

    def get_list_filter(self, request: HttpRequest) -> Any:
        return (DatabaseFilter, *super().get_list_filter(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DatabaseChangeList

    def context(self, request: HttpRequest, **more: Any) -> dict[str, Any]:
        """What every page of ours needs."""
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "tabs": list(_tabs(request, self)),
            **more,
        }

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        """What the list's template needs besides its rows."""
        return {}

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        """The list; one of a database that cannot be asked says so, and leads back to the usual one."""
        try:
            context = {"tabs": list(_tabs(request, self)), **self.list_context(request), **(extra_context or {})}
            return super().changelist_view(request, context)
        except AWAY as error:
            if not database_of(request):
                raise
            self.message_user(request, f"Database {database_of(request)} cannot be asked: {error}", messages.ERROR)
            return redirect(request.path)

    def carry_out(self, request: HttpRequest, chosen: QuerySet[Any], deed: Deed) -> HttpResponse | None:
        """Ask first; when it was confirmed do it, write it down, and say how many it changed."""
        across = request.POST.get("select_across") == "1"
        if "confirmed" not in request.POST:
            return self._ask(request, chosen, deed, across=across)
        rows = self.model.objects.using(chosen.db)
        few = [] if across else list(chosen.defer(None))
        wanted = rows.filter(pk__in=chosen.order_by().values("pk") if across else [row.pk for row in few])
        with transaction.atomic(using=chosen.db):
            changed = deed.verb(wanted)
            about = _in_common(request) if across else these([row.pk for row in few])
            audit(deed.command, changed, about=about, who=request.user.get_username(), using=chosen.db)
            done = " in database ".join([deed.done, *in_database(chosen.db).values()])
            LogEntry.objects.log_actions(request.user.pk, few, deed.flag, done)  # type: ignore[arg-type]
        glances.forget()
        level = messages.SUCCESS if changed else messages.WARNING
        self.message_user(request, f"{self.count(changed)} {deed.done}.", level)
        return None

    def _ask(self, request: HttpRequest, chosen: QuerySet[Any], deed: Deed, *, across: bool) -> HttpResponse:
        number = len(chosen.order_by().values_list("pk")[: _MOST + 1])
        context = self.context(
            request,
            title=f"{deed.name.capitalize()} {self.count(number) if number <= _MOST else 'more than 10,000'}?",
            deed=deed,
            rows=list(chosen[:_SHOWN]),
            more=max(number - _SHOWN, 0),
            selected=request.POST.getlist(ACTION_CHECKBOX_NAME),
            across=across,
            checkbox=ACTION_CHECKBOX_NAME,
            number=number,
        )
        return TemplateResponse(request, "eventbridge/confirm.html", context)

    def count(self, number: int) -> str:
        return count(number, str(self.opts.verbose_name), str(self.opts.verbose_name_plural))


def live_page(
    page: ReadOnlyAdmin, request: HttpRequest, name: str, context: Mapping[str, Any], **whole: Any
) -> HttpResponse:
    """A page; or only that part of it that changes while somebody looks, which its script asks for again."""
    if "live" in request.GET:
        response = TemplateResponse(request, f"eventbridge/_{name}.html", {**context})
    else:
        response = TemplateResponse(request, f"eventbridge/{name}.html", {**page.context(request, **whole), **context})
    add_never_cache_headers(response)
    return response


def _in_common(request: HttpRequest) -> str:
    """What the rows that were chosen have in common: the list's own filters."""
    return ", ".join(f"{name}={value}" for name, value in request.GET.items()) or "all"


def moment(value: datetime | None) -> str:
    """A time as all our pages write it, by the clock of who looks: ``29 Nov 2026, 14:02:15``."""
    if value and timezone.is_aware(value):
        value = timezone.localtime(value)
    return date_format(value, "j M Y, H:i:s") if value else ""


def time_column(name: str, words: str) -> Any:
    """A list's column of such times."""

    @admin.display(description=words, ordering=name, empty_value="-")
    def column(page: ReadOnlyAdmin, row: Model) -> str | None:
        return moment(getattr(row, name)) or None

    return column


def may_view(page: ReadOnlyAdmin, request: HttpRequest, model: type[Model]) -> bool:
    """Whether this user may see the pages of that model, on this admin site."""
    other = page.admin_site._registry.get(model)  # noqa: SLF001 - get_model_admin() raises
    return bool(other and other.has_view_permission(request))


def journey_url(page: ReadOnlyAdmin, event_id: str) -> str:
    """Where an event's journey is shown."""
    return f"{reverse(f'{page.admin_site.name}:eventbridge_event')}?{urlencode({'id': event_id})}"


def _tabs(request: HttpRequest, current: ReadOnlyAdmin) -> Iterator[dict[str, Any]]:
    """The pages that this user may see: name, address, whether it is this one."""
    for model in _TABS:
        if may_view(current, request, model):
            address = reverse(f"{current.admin_site.name}:eventbridge_{model._meta.model_name}_changelist")
            yield {"name": model._meta.verbose_name_plural, "url": address, "current": model is current.model}
