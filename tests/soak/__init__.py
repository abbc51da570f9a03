"""The soak: everything works for a long time, and nothing grows: ``make soak``, or ``python -m tests.soak``."""
