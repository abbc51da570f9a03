"""Authors: listed, written, deleted."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from ..forms import AuthorForm
from ..models import Author, Book
from .rights import needs

PAGE_SIZE = 50


@require_safe
@needs("bookstore.view_author")
def author_list(request: HttpRequest) -> HttpResponse:
    """All authors, by name."""
    page = Paginator(Author.objects.all(), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "bookstore/author_list.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("bookstore.add_author")
def author_create(request: HttpRequest) -> HttpResponse:
    """A new author."""
    return _write(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("bookstore.change_author")
@transaction.atomic
def author_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """An author's names and address. The row is locked while it is written."""
    return _write(request, get_object_or_404(Author.objects.select_for_update(), pk=pk))


def _write(request: HttpRequest, author: Author | None) -> HttpResponse:
    form = AuthorForm(request.POST or None, instance=author)
    if request.method == "POST" and form.is_valid():
        messages.success(request, f"{form.save()} is saved.")
        return redirect("author-list")
    return render(request, "bookstore/author_form.html", {"form": form, "author": author})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("bookstore.delete_author")
@transaction.atomic
def author_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then delete the author. Their books are deleted elsewhere, when the event has arrived."""
    author = get_object_or_404(Author.objects.select_for_update(), pk=pk)
    if request.method != "POST":
        books = Book.objects.filter(author_id=pk)
        return render(request, "bookstore/author_delete.html", {"author": author, "books": books})
    author.delete()
    messages.success(request, f"{author} is deleted. The deletion service was told; their books follow.")
    return redirect("author-list")
