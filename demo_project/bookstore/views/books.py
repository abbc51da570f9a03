"""Books: listed, read, written, published, deleted."""

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..forms import BookForm
from ..models import Author, Book
from .authors import PAGE_SIZE
from .rights import needs


class PressError(Exception):
    """What goes wrong in `book_publish_and_fail`."""


@require_safe
@needs("bookstore.view_book")
def book_list(request: HttpRequest) -> HttpResponse:
    """All books by title, each with its author's short name."""
    page = Paginator(Book.objects.all(), PAGE_SIZE).get_page(request.GET.get("page"))
    authors = Author.objects.in_bulk({book.author_id for book in page if book.author_id})
    rows = [(book, authors.get(book.author_id or 0)) for book in page]
    return render(request, "bookstore/book_list.html", {"page": page, "rows": rows})


@require_safe
@needs("bookstore.view_book")
def book(request: HttpRequest, pk: int) -> HttpResponse:
    """One book, and what can be done with it."""
    book = get_object_or_404(Book, pk=pk)
    return render(
        request, "bookstore/book.html", {"book": book, "author": book.author(), "demo": settings.BOOKSTORE_DEMO}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("bookstore.add_book")
def book_create(request: HttpRequest) -> HttpResponse:
    """A new book, drafted."""
    return _write(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("bookstore.change_book")
@transaction.atomic
def book_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """A book's words. The row is locked, so that an older page cannot take back a publication."""
    return _write(request, get_object_or_404(Book.objects.select_for_update(), pk=pk))


def _write(request: HttpRequest, book: Book | None) -> HttpResponse:
    form = BookForm(request.POST or None, instance=book)
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        messages.success(request, f"“{saved}” is saved.")
        return redirect(saved)
    return render(request, "bookstore/book_form.html", {"form": form, "book": book})


@require_POST
@needs("bookstore.change_book")
@transaction.atomic
def book_publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Publish a book: the change and its event commit together."""
    book = get_object_or_404(Book.objects.select_for_update(), pk=pk)
    if book.is_published:
        messages.info(request, f"“{book}” was published before; nothing changed.")
        return redirect(book)
    book.publish()
    messages.success(request, f"“{book}” is published. Its author will be told by email.")
    return redirect(book)


@require_POST
def book_publish_and_fail(request: HttpRequest, pk: int) -> HttpResponse:
    """For the demo: publish a book in a transaction that fails afterwards. Neither change nor event remains."""
    if not settings.BOOKSTORE_DEMO:
        raise Http404("Only in the demo")
    book = get_object_or_404(Book, pk=pk)
    try:
        _publish_and_fail(book)
    except PressError:
        messages.warning(request, "The transaction failed after publishing: no change was kept, no event was sent.")
    return redirect(book)


@transaction.atomic
def _publish_and_fail(book: Book) -> None:
    book.publish()
    raise PressError


@require_http_methods(["GET", "HEAD", "POST"])
@needs("bookstore.delete_book")
@transaction.atomic
def book_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then delete the book."""
    book = get_object_or_404(Book.objects.select_for_update(), pk=pk)
    if request.method != "POST":
        return render(request, "bookstore/book_delete.html", {"book": book})
    book.delete()
    messages.success(request, f"“{book}” is deleted.")
    return redirect("book-list")
