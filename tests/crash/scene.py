"""What a crash test does and looks at: processes that die, leases that run out, and what is where then."""

import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import kombu
from django.db.models.functions import Now

from eventbridge import Consumer, Event, emit_many
from eventbridge.assembly import declare
from eventbridge.models import BrokerMessage, DeadLetter, Lease, OutboxEntry
from eventbridge.topology import topology_of
from tests.crash import batches, consumers, outside
from tests.crash.consumers import Told
from tests.services.processes import Process
from tests.services.waiting import wait_for
from tests.shop.models import Note

NOTES, OUTSIDE, BATCHES = "tests.crash.consumers", "tests.crash.outside", "tests.crash.batches"
QUEUES = {NOTES: consumers.consumer.name, OUTSIDE: outside.consumer.name, BATCHES: batches.consumer.name}
DEATHS = (-signal.SIGKILL, -signal.SIGXFSZ)
# What a worker says of a delivery that it has settled for good.
_OUTCOMES = (" handled crash.", " skipped crash.", " rejected crash.", " gave up on crash.")

witness = Consumer("crash.witness")
"""A queue that nobody consumes: what is in it has been on the wire."""


@witness.handles("crash.told.#")
def _never_called(event: Event[object]) -> None:
    raise AssertionError("nobody consumes this")


@dataclass
class Scene:
    """One test's processes on one transport. Call ``declare`` before the first event."""

    url: str
    daemon: Callable[..., Process]
    log: Path
    _seen: list[str] = field(default_factory=list)

    # --- processes ---

    def start(self, *command: str, **env: str) -> Process:
        """A command of eventbridge's, in a process that has failpoints."""
        ours = {"DJANGO_SETTINGS_MODULE": "tests.crash.settings", "CRASH_LOG": str(self.log)}
        return self.daemon("eventbridge", *command, env={**ours, **env})

    def dies(self, failpoint: str, *command: str, hit: int = 1, **env: str) -> None:
        """Run a command that dies there; later, the leases it held run out."""
        died(self.start(*command, FAILPOINT=failpoint, FAILPOINT_HIT=str(hit), **env))

    def relay(self) -> None:
        """A relay publishes all there is."""
        relay = self.start("relay", "--drain")
        assert relay.wait(30) == 0, relay.output

    def consume(self, outcomes: int, module: str = NOTES) -> None:
        """A consumer settles so many deliveries, and stops in order. Nothing is left for it then."""
        process = self.start("consume", module)
        settled(process, outcomes)
        self.stop(process)
        assert self.depth(QUEUES[module]) == 0

    def stop(self, process: Process) -> None:
        process.terminate()
        assert process.wait() == 0, process.output

    # --- what there is ---

    def declare(self) -> None:
        declare(topology_of([consumers.consumer, outside.consumer, batches.consumer, witness]))

    def depth(self, queue: str) -> int:
        """How many messages are in the queue; those in a living consumer's hands may not be counted."""
        if self.url.startswith("database"):
            return BrokerMessage.objects.filter(queue=queue).count()
        with kombu.Connection(self.url) as connection:
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)

    def wire(self) -> list[str]:
        """The ids of all messages that were published so far, in their order."""
        if self.url.startswith("database"):
            messages = BrokerMessage.objects.filter(queue=witness.name)
            return list(messages.order_by("id").values_list("message_id", flat=True))
        with kombu.Connection(self.url) as connection:
            while message := connection.default_channel.basic_get(witness.name, no_ack=True):
                self._seen.append(message.properties["message_id"])
        return list(self._seen)

    def runs(self, text: str = "") -> int:
        """How often a handler has begun, with that event or any."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return len([line for line in lines if not text or line.startswith(f"{text} ")])

    def go_on(self) -> None:
        """Handlers that wait need not wait any more."""
        Path(f"{self.log}.go").touch()


def tell(*texts: str, does: str = "note") -> list[str]:
    """Emit events; their ids."""
    return [event.id for event in emit_many(Told(text=text, does=does) for text in texts)]


def died(process: Process) -> None:
    """It ended at its failpoint; by now its leases have run out, without anybody's waiting."""
    assert process.wait(30) in DEATHS, process.output
    Lease.objects.update(expires_at=Now())
    BrokerMessage.objects.exclude(lease="").update(ready_at=Now())
    DeadLetter.objects.exclude(lease="").update(replay_at=Now())


def settled(process: Process, outcomes: int, timeout: float = 30) -> None:
    """So many deliveries were settled in it."""

    def count() -> int:
        return sum(process.output.count(words) for words in _OUTCOMES)

    with suppress(AssertionError):
        wait_for(lambda: count() >= outcomes or not process.running, timeout)
    assert count() >= outcomes, f"{count()} of {outcomes} outcomes: {process.output}"


def effects() -> list[str]:
    """What handlers did, in transactions that committed."""
    return sorted(Note.objects.values_list("text", flat=True))


def outbox() -> list[str]:
    """The ids of the events that wait to be published."""
    return list(OutboxEntry.objects.filter(parked_at=None).order_by("id").values_list("event_id", flat=True))


def letters() -> list[tuple[str, int]]:
    """The reason and the attempts of every dead letter."""
    return list(DeadLetter.objects.order_by("id").values_list("reason", "attempts"))
