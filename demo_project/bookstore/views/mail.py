"""The mail that was sent, to be looked at."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .. import mailbox
from .rights import needs


@require_safe
@needs("bookstore.view_author")
def mail_list(request: HttpRequest) -> HttpResponse:
    """Every mail, the newest first."""
    return render(request, "bookstore/mail_list.html", {"mails": mailbox.newest_first()})


@require_safe
@needs("bookstore.view_author")
def mail(request: HttpRequest, name: str) -> HttpResponse:
    """One mail: its headers, its HTML in a frame that may run nothing, its text."""
    found = mailbox.find(name)
    if found is None:
        raise Http404("No mail of this name")
    return render(request, "bookstore/mail.html", {"mail": found})
