"""Real processes that die at exact points of an event's way, and what is left of the promises then."""
