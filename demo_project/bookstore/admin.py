"""The bookstore in Django's admin."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from .models import Author, Book


@admin.register(Author)
class AuthorAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """Authors, found by name or address."""

    list_display = ("full_name", "short_name", "email")
    search_fields = ("full_name", "short_name", "email")


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Books, found by title; several can be published at once."""

    list_display = ("title", "status", "author_id")
    list_filter = ("status",)
    search_fields = ("title", "slug")
    prepopulated_fields: ClassVar = {"slug": ("title",)}
    actions = ("publish",)

    @admin.action(permissions=["change"], description="Publish selected books")
    def publish(self, request: HttpRequest, queryset: QuerySet[Book]) -> None:
        """Publish each by its own save: an UPDATE of them all would send no signal."""
        for book in queryset:
            book.publish()
