"""The event of a soak."""

from eventbridge import event_type


@event_type("soak.happened.v1", key="n")
class Happened:
    """Something happened, for the ``n``-th time in its producer."""

    n: int
    what: str
