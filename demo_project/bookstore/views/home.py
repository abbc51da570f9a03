"""The first page: what is here, and what to try."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ..models import Author, Book


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """How much there is of everything, and the story in five steps."""
    counts = {"authors": Author.objects.count(), "books": Book.objects.count()}
    return render(request, "bookstore/home.html", counts)
