"""What the benches tell django-outbox-pattern to do."""

from benchmarks.child import serve
from benchmarks.inside.tables import books, empty, prepare, timed


def saved(transactions: int, each: int) -> float:
    """Microseconds for each save of a model that it publishes."""
    from benchmarks.inside.outbox_pattern.models import PublishedBook

    empty("outbox_pattern_publishedbook", "published")
    return timed(lambda fields: PublishedBook(**fields).save(), transactions, each)


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
    serve(prepare, saved, fill)
