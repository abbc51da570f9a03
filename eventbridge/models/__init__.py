"""The tables. Verbs of their QuerySets hold all SQL; give them a database with ``using`` first."""

from eventbridge.models.broker import BrokerBinding, BrokerMessage, BrokerQueue
from eventbridge.models.dead_letter import DeadLetter
from eventbridge.models.heartbeat import Heartbeat
from eventbridge.models.inbox import InboxEntry
from eventbridge.models.lease import Lease
from eventbridge.models.outbox import OutboxEntry

__all__ = [
    "BrokerBinding",
    "BrokerMessage",
    "BrokerQueue",
    "DeadLetter",
    "Heartbeat",
    "InboxEntry",
    "Lease",
    "OutboxEntry",
]
