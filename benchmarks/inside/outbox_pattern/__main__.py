"""What the benches tell django-outbox-pattern to do."""

from benchmarks.child import serve
from benchmarks.inside.tables import books, empty, in_turn, prepare, save_plain


def saves(transactions: int, each: int) -> dict[str, float]:
    """Microseconds for each save: plain, and of a model that it publishes."""
    from benchmarks.inside.outbox_pattern.models import PublishedBook

    empty("store_plainbook", "outbox_pattern_publishedbook", "published")
    published = lambda fields: PublishedBook(**fields).save()  # noqa: E731
    return in_turn({"plain save": save_plain, "save with its event": published}, transactions, each)


def fill(events: int) -> None:
    """Put so many events into its outbox, and nothing else."""
    from django.db import connection
    from django_outbox_pattern.headers import get_message_headers
    from django_outbox_pattern.models import Published

    from benchmarks.inside.outbox_pattern.models import DESTINATION, PublishedBook

    empty("published")
    fields = books()
    rows = []
    for number in range(events):
        found = PublishedBook(pk=number + 1, **next(fields))
        row = Published(body=found.as_event(), destination=DESTINATION)
        row.headers = get_message_headers(row)
        rows.append(row)
    Published.objects.bulk_create(rows, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE published")


if __name__ == "__main__":
    serve(prepare, saves, fill)
