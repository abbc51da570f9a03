"""The admin: the event bus at a glance, the event trail, outbox, inbox, dead letters, and who did what."""

from eventbridge.admin import bus, dead_letters, outbox, trail

__all__ = ["bus", "dead_letters", "outbox", "trail"]
