"""The chaos run: everything is killed, frozen, cut off and restarted, and nothing may be lost or happen twice.

``python -m tests.chaos --help``, or ``make chaos``; docs/how-to/run-chaos.md says how to read it.
"""
