"""What the benches tell Dramatiq to do."""

from benchmarks.child import serve
from benchmarks.inside import dramatiq_tasks
from benchmarks.inside.tables import books, prepare


def fill(events: int, task: str) -> None:
    """Publish so many messages."""
    actor, fields = getattr(dramatiq_tasks, task), books()
    for number in range(events):
        actor.send(number, next(fields))


if __name__ == "__main__":
    serve(prepare, fill)
