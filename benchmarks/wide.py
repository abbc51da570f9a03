"""Many types and many queues: their names, known to both sides."""

TYPES, QUEUES = 100, 50


def name(number: int) -> str:
    """The type of event ``number``."""
    return f"bench.wide.type{number % TYPES}.v1"


def queue(number: int) -> str:
    """The queue that event ``number`` goes to."""
    return f"bench.wide.{number % QUEUES}"
