"""The consumers that are measured, and those that only have a queue."""
