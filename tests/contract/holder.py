"""A consumer process to be killed: it takes one delivery of the queue that it is told, and holds it."""

import os
import sys

import django

from eventbridge.topology import Queue
from eventbridge.transports import Options, transport


def main(queue: str) -> None:
    django.setup()
    options = Options(url=os.environ["CONTRACT_URL"])
    module = transport(options.url)
    subscriber = module.Subscriber(options, Queue(queue), prefetch=1, retries=module.Publisher(options))
    for delivery in subscriber.deliveries(1):
        if delivery is not None:
            sys.stdout.write(f"holding {delivery.message.id}\n")


if __name__ == "__main__":
    main(sys.argv[1])
