"""The bookstore's pages."""

from django.urls import path

from .views import authors, books, events, home, mail

urlpatterns = [
    path("", home.home, name="home"),
    path("authors/", authors.author_list, name="author-list"),
    path("authors/new/", authors.author_create, name="author-create"),
    path("authors/<int:pk>/", authors.author_edit, name="author-edit"),
    path("authors/<int:pk>/delete/", authors.author_delete, name="author-delete"),
    path("books/", books.book_list, name="book-list"),
    path("books/new/", books.book_create, name="book-create"),
    path("books/<int:pk>/", books.book, name="book"),
    path("books/<int:pk>/edit/", books.book_edit, name="book-edit"),
    path("books/<int:pk>/publish/", books.book_publish, name="book-publish"),
    path("books/<int:pk>/publish-and-fail/", books.book_publish_and_fail, name="book-publish-and-fail"),
    path("books/<int:pk>/delete/", books.book_delete, name="book-delete"),
    path("mail/", mail.mail_list, name="mail-list"),
    path("mail/<slug:name>/", mail.mail, name="mail"),
    path("events.json", events.event_json, name="event-json"),
]
