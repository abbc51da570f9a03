"""RabbitMQ: published to with kombu, consumed from with pika. The only package that imports them."""

from eventbridge.transports.rabbitmq.publisher import Publisher

__all__ = ["Publisher"]
