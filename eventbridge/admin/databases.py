"""Which database a page is about: where there are several outboxes, each has rows of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db import DatabaseError, InterfaceError, router
from django.db.models import Model
from django.http import Http404, HttpRequest

from eventbridge.status import databases

PARAMETER = "database"
AWAY = (DatabaseError, InterfaceError)
"""What a database raises that cannot be asked: it is away, or has no tables."""


def database_of(request: HttpRequest) -> str | None:
    """The one that a request asks for; None if it asks for none. Raises Http404 if there is none of that name."""
    alias = request.GET.get(PARAMETER)
    if alias is not None and alias not in databases():
        raise Http404(f"There is no outbox in a database called {alias}.")
    return alias


def in_database(alias: str) -> dict[str, str]:
    """What an address needs to be about that database: nothing where there is one only."""
    return {PARAMETER: alias} if len(databases()) > 1 else {}


def with_database(address: str, alias: str) -> str:
    """The address, which has no query, of a page about that database."""
    return f"{address}?{query}" if (query := urlencode(in_database(alias))) else address


class DatabaseFilter(admin.SimpleListFilter):
    """The choices; `ReadOnlyAdmin.get_queryset` asks the one that is chosen. None where there is one only."""

    title = parameter_name = PARAMETER

    def __init__(self, request: HttpRequest, params: Any, model: type[Model], model_admin: Any) -> None:
        self._usual = router.db_for_read(model)
        super().__init__(request, params, model, model_admin)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        known = databases()
        return [(alias, alias) for alias in known] if len(known) > 1 else []

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Without "All": rows of several databases are never in one list."""
        chosen = self.value() or self._usual
        for alias, _ in self.lookup_choices:
            query = changelist.get_query_string({PARAMETER: alias}, ["p"])
            yield {"selected": alias == chosen, "query_string": query, "display": alias}
