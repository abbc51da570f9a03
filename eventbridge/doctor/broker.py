"""The broker: its version, its alarms, certificates, the topology, and what this user may do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from eventbridge import assembly
from eventbridge.capture import bridges
from eventbridge.conf import settings
from eventbridge.consumer import Consumer
from eventbridge.doctor.certificates import certificate, own_certificate
from eventbridge.doctor.project import settings_are_usable, usable_consumers
from eventbridge.doctor.visit import Note, broken, doubtful, fine
from eventbridge.errors import EventbridgeError, Unavailable
from eventbridge.event import event_type_of, event_types
from eventbridge.topology import EVENTS, LOST, rung, topology_of
from eventbridge.transports.examination import Examination, Write
from eventbridge.wording import count, one_line, without_password

_APPLY = "manage.py eventbridge topology --apply"
_OLDEST, _NEXT = (3, 10), (4, 0)


def look() -> Iterator[Note]:
    if not settings_are_usable():
        return
    consumers = usable_consumers()
    publishes = [Write(EVENTS, name) for name in _published()]
    retries = [Write(rung(s), c.name) for c in consumers if not c.ordered for s in c.retries]
    where = without_password(settings.BROKER_URL)
    yield from own_certificate(settings.BROKER_TLS)
    try:
        found = assembly.examine(topology_of(consumers), [*publishes, *retries], [c.name for c in consumers])
    except Unavailable as error:
        yield broken(f"{where} cannot be asked: {error}.", _reach(str(error)))
        return
    yield from _itself(found, where)
    yield from _topology(found)
    yield from _rights(found, publishes, consumers)


def _published() -> list[str]:
    """The event types that this site bridges; all that it knows, if it bridges none."""
    bridged: set[str] = set()
    for bridge in bridges:
        with suppress(EventbridgeError):  # the checks tell of a bridge whose types cannot be read
            bridged |= {event_type_of(kind).name for kind in bridge.types}
    return sorted(bridged or {kind.name for kind in event_types.values()})


def _reach(error: str) -> str:
    if "ACCESS_REFUSED" in error or "NOT_ALLOWED" in error or "not allowed" in error:
        return "Correct user, password and virtual host in BROKER_URL, or give the user rights in that virtual host."
    if "certificate" in error.lower():
        return "Renew the broker's certificate, or correct BROKER_TLS['ca'] and ['server_hostname']."
    return "Start the broker, or correct BROKER_URL. Events wait in the outbox meanwhile, and none is lost."


# --- the broker itself ---------------------------------------------------------------------------


def _itself(found: Examination, where: str) -> Iterator[Note]:
    yield from _version(found, where)
    if found.blocked:
        text = "It takes nothing from publishers: it has an alarm of memory or disk."
        yield broken(text, "`rabbitmq-diagnostics alarms` says which; free what it lacks. Nothing is lost meanwhile.")
    yield from _each(found)


def _each(found: Examination) -> Iterator[Note]:
    """Of a list of brokers each must be able to take over."""
    alone = len(found.certificates_end) + len(found.away) == 1
    for broker, ends in found.certificates_end.items():
        yield certificate("its certificate" if alone else f"the certificate of {broker}", ends)
    for broker, why in found.away.items():
        mend = "Start it, renew its certificate, or take it out of BROKER_URL: it could not take over."
        yield doubtful(f"{broker} in BROKER_URL does not answer, though another one does: {one_line(why)}.", mend)


def _version(found: Examination, where: str) -> Iterator[Note]:
    if not found.version:
        yield fine(found.product)
        return
    told = f"{found.product} {found.version} at {where}"
    version = tuple(int(part) for part in found.version.split(".")[:2] if part.isdecimal())
    if found.product != "RabbitMQ":
        yield doubtful(f"{told} is no RabbitMQ: nobody has tried it.", "Use RabbitMQ 3.10 or later.")
    elif version < _OLDEST:
        text = f"{told} is too old: its quorum queues know no time to live, which retries need."
        yield broken(text, "Upgrade to 3.13, and from there to 4.")
    elif version < _NEXT:
        yield fine(f"{told}; before you upgrade to 4: docs/runbooks/upgrade-rabbitmq.md")
    else:
        yield fine(told)


# --- the topology --------------------------------------------------------------------------------


def _topology(found: Examination) -> Iterator[Note]:
    for text in found.other:
        what, _, mend = text.partition(". ")
        yield broken(f"{what.rstrip('.')}.", mend or _APPLY)
    if found.missing:
        text = f"{count(len(found.missing), 'thing is', 'things are')} missing: {_some(found.missing)}."
        mend = f"{_APPLY} (as a user who may declare)"
        judge = doubtful if settings.AUTO_DECLARE else broken
        yield judge(text, f"{mend}, or start the daemons: AUTO_DECLARE is on." if settings.AUTO_DECLARE else mend)
    if found.lost:
        text = f"The queue {LOST} holds {count(found.lost, 'event')}: retries whose own queue was gone."
        mend = "Bring the queue back (start its consumer), then send each to its own: docs/runbooks/lost-retries.md."
        yield doubtful(text, mend)
    if not (found.other or found.missing or found.undeclarable):
        yield fine("nothing is missing, and all is made as it should be")


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


# --- rights --------------------------------------------------------------------------------------


def _rights(found: Examination, publishes: Sequence[Write], consumers: Sequence[Consumer]) -> Iterator[Note]:
    yield from _declaring(found)
    yield from _publishing_and_reading(found, publishes, [consumer.name for consumer in consumers])
    for to in found.unwritable:
        if to.exchange != EVENTS and to.key not in found.unreadable:
            text = f"This user may read queue {to.key}, but not write to {to.exchange}: its retries fail."
            yield broken(text, f"Let it write to {to.exchange} with the routing key {to.key}.")


def _declaring(found: Examination) -> Iterator[Note]:
    if not found.undeclarable:
        return
    names = ", ".join(found.undeclarable)
    if settings.AUTO_DECLARE:
        text = f"AUTO_DECLARE is on, and this user may not declare {names}: daemons wait for that."
        yield broken(
            text, f"Set AUTO_DECLARE to False, and run {_APPLY} as a user who may; or let this one configure it."
        )
    else:
        yield fine("this user may declare nothing, as it should be; so how things are made is known to another alone")


def _publishing_and_reading(found: Examination, publishes: Sequence[Write], queues: Sequence[str]) -> Iterator[Note]:
    """One of the two is right for a daemon with a user of its own. None is right for nobody."""
    mute = [to.key for to in found.unwritable if to.exchange == EVENTS]
    deaf = found.unreadable
    may_publish, may_read = len(mute) < len(publishes), len(deaf) < len(queues)
    no_write, no_read = f"publish {', '.join(mute)} to {EVENTS}", f"read {', '.join(deaf)}"
    if not mute and not deaf:
        yield fine("this user may publish the events, and read the consumers' queues")
    elif mute and deaf and not may_publish and not may_read:
        mend = "Give it the rights of a relay or of a consumer: manage.py eventbridge topology --export --users"
        yield broken(f"This user may neither {no_write} nor {no_read}.", mend)
    elif not mute and not may_read:
        yield fine("this user may publish, and read no queue: a relay's")
    elif not may_publish and may_read:
        others = f", and not {', '.join(deaf)}" if deaf else ""
        yield fine(f"this user may read, and publish no event: a consumer's{others}")
    else:
        text = " nor ".join(filter(None, (no_write if mute else "", no_read if deaf else "")))
        yield broken(
            f"This user may not {text}, though it may do the rest.",
            "Give it that right, too (rabbitmqctl set_permissions).",
        )
