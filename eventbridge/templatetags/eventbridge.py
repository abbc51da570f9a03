"""How figures and times are written on the admin's pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import template
from django.db.models import Model
from django.template import Context

from eventbridge import wording
from eventbridge.admin.databases import in_database

register = template.Library()


@register.inclusion_tag("eventbridge/_steer.html", takes_context=True)
def steer(context: Context, role: str, name: str) -> dict[str, Any]:
    """The way to pause or resume that relay or consumer, for who may."""
    part = context["parts"].get((role, name))
    verb = "resume" if part and part.held else "pause"
    return {"part": part, "verb": verb if part and verb in context["may"] else "", "request": context.get("request")}


@register.filter
def span(seconds: float) -> str:
    """``85 ms``, ``1.2 s``, ``5 min``."""
    return wording.span(seconds)


@register.filter
def age(seconds: float) -> str:
    """``12 s``, ``5 min``, ``3 d``."""
    return wording.age(seconds)


@register.filter
def rate(each_second: float) -> str:
    """``120/s``, ``1.5/s``, ``6/min``; nothing where nothing happens."""
    if each_second >= 10:  # noqa: PLR2004 - where decimals end
        return f"{each_second:,.0f}/s"
    if each_second >= 1:
        return f"{each_second:.1f}/s"
    return f"{each_second * 60:.0f}/min" if each_second > 0 else ""


@register.filter
def number(value: float | str) -> str:
    """``1,204``; a word, such as ``?``, as it is."""
    return f"{value:,}" if isinstance(value, (int, float)) else value


@register.filter
def query_of(row: Model) -> str:
    """``?database=archive`` for a row of that database; nothing where there is one only."""
    query = urlencode(in_database(row._state.db or ""))  # noqa: SLF001 - as Django documents it
    return f"?{query}" if query else ""


@register.filter
def and_database(alias: str) -> str:
    """``&database=archive``, for the end of an address; nothing where there is one only."""
    return "".join(f"&{urlencode({name: value})}" for name, value in in_database(alias).items())
