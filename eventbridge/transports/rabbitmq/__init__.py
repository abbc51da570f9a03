"""RabbitMQ: published to with kombu, consumed from with pika; the only package that imports them.

What a user of the broker needs, at least. Nothing is ever published to the default exchange:

* relay: write on ``eventbridge.events`` (and topic permissions, where they are used);
* consumer: read on its own queue, write on ``eventbridge.retry.*``; topic permissions can confine
  what it writes there to its own name;
* whoever declares: configure, write and read on all of these.
"""

from eventbridge.transports.rabbitmq.declare import declare, missing
from eventbridge.transports.rabbitmq.examine import examine
from eventbridge.transports.rabbitmq.publisher import Publisher
from eventbridge.transports.rabbitmq.subscriber import Subscriber

__all__ = ["Publisher", "Subscriber", "declare", "examine", "missing"]
