"""The bookstore as a Django app."""

from django.apps import AppConfig


class BookstoreConfig(AppConfig):
    """Nothing to start: eventbridge finds `events.py` by its name."""

    name = "demo_project.bookstore"
    verbose_name = "Bookstore"
