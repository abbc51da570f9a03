"""The events of a chaos run."""

from eventbridge import event_type


@event_type("chaos.happened.v1", key="key")
class Happened:
    """The ``n``-th thing that happened to ``key``. Consumer ``to`` misbehaves over it as ``does`` says."""

    key: str
    n: int
    does: str = ""
    to: str = ""


@event_type("chaos.unwanted.v1", key="key")
class Unwanted:
    """It happened as well, and no consumer wants to know: it must be parked."""

    key: str
    n: int
    does: str = "unwanted"
    to: str = ""
