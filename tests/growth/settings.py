"""The soak's settings, with nothing on that takes the relay's time."""

from tests.soak.settings import *  # noqa: F403
from tests.soak.settings import EVENTBRIDGE as _SOAK

EVENTBRIDGE = {"SOURCE": "/growth", "BROKER_URL": _SOAK["BROKER_URL"], "CONSUMERS": ["tests.growth.sink"]}
