"""The tables. Verbs of their QuerySets hold all SQL; give them a database with ``using`` first."""

from eventbridge.models.audit import Audit
from eventbridge.models.broker import BrokerBinding, BrokerMessage, BrokerQueue
from eventbridge.models.dead_letter import DeadLetter
from eventbridge.models.heartbeat import Heartbeat
from eventbridge.models.hold import Hold
from eventbridge.models.inbox import InboxEntry
from eventbridge.models.lease import Lease
from eventbridge.models.outbox import OutboxEntry
from eventbridge.models.trail import EventBus, TrailStep

__all__ = [
    "Audit",
    "BrokerBinding",
    "BrokerMessage",
    "BrokerQueue",
    "DeadLetter",
    "EventBus",
    "Heartbeat",
    "Hold",
    "InboxEntry",
    "Lease",
    "OutboxEntry",
    "TrailStep",
]
