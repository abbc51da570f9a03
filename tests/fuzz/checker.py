"""What was sent, against what came of it: pure functions over plain data.

Every message that reached a consumer must have ended as an effect, as a duplicate that was counted, or as a dead
letter that holds it whole.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, str, str]
"""Consumer, source and id of an event."""


@dataclass(frozen=True, slots=True)
class Due:
    """Message ``n``, at one of the consumers that it reaches. ``headers`` are those that a dead letter must show;
    ``key`` is what its source and id are, as another reader reads them."""

    n: int
    consumer: str
    digest: str
    key: Key | None = None
    wholesome: bool = False
    headers: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    consumer: str
    source: str
    event: str
    digest: str

    @property
    def key(self) -> Key:
        return self.consumer, self.source, self.event


@dataclass(frozen=True, slots=True)
class Letter:
    consumer: str
    digest: str
    reason: str
    headers: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Outcome:
    """All that is known of a run, once it has drained."""

    due: list[Due] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    burials: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each consumer buried a message of that digest. The same message again is the same letter."""
    duplicates: Counter[Key] = field(default_factory=Counter)
    left: Mapping[str, int] = field(default_factory=dict)
    """What is still in each queue."""
    at_least_once: Collection[str] = ()
    """The consumers whose effects may be repeated: two copies at once, where no transaction tells them apart."""
    restarts: int = 0
    exit_code: int = 0
    said: Mapping[str, int] = field(default_factory=dict)
    """How often the process said what it has no reason to say."""
    told: Collection[str] = ()
    """Lines of its log that have a password."""
    wanted: Collection[str] = ()
    """What must have come to pass, or the run proved nothing."""


def check(outcome: Outcome) -> dict[str, list[str]]:
    """Everything that is wrong. No entries: every message is accounted for."""
    found = {
        "lost": list(lost(outcome)),
        "twice": twice(outcome),
        "changed": changed(outcome),
        "headers": list(other_headers(outcome)),
        "wronged": wronged(outcome),
        "left": [f"{queue}: {count}" for queue, count in outcome.left.items() if count],
        "died": died(outcome),
        "said": [f"{words!r}: {count} times" for words, count in outcome.said.items() if count],
        "told": list(outcome.told),
        "vacuous": vacuous(outcome),
    }
    return {bucket: problems for bucket, problems in found.items() if problems}


def lost(outcome: Outcome) -> Iterator[str]:
    """More of one kind were sent than became effects, dead letters, or duplicates of an event that took effect."""
    ended = Counter((effect.consumer, effect.digest) for effect in outcome.effects)
    ended.update(_buried(outcome))
    skipped = Counter(outcome.duplicates)
    for due in outcome.due:
        place = due.consumer, due.digest
        if ended[place]:
            ended[place] -= 1
        elif due.key and skipped[due.key]:
            skipped[due.key] -= 1
        else:
            yield f"message {due.n} at {due.consumer}"


def _buried(outcome: Outcome) -> Counter[tuple[str, str]]:
    """Burials of which there is a letter still."""
    kept = {(letter.consumer, letter.digest) for letter in outcome.letters}
    return Counter({place: count for place, count in outcome.burials.items() if place in kept})


def twice(outcome: Outcome) -> list[str]:
    """Of one event, more than one effect, where exactly one was promised."""
    counts = Counter(effect.key for effect in outcome.effects if effect.consumer not in outcome.at_least_once)
    return [f"{' '.join(map(repr, key))}: {count} effects" for key, count in counts.items() if count > 1]


def changed(outcome: Outcome) -> list[str]:
    """Letters and effects of messages that nobody sent: not byte by byte what came."""
    sent = {(due.consumer, due.digest) for due in outcome.due}
    letters = [f"a letter of {x.consumer}, {x.digest}" for x in outcome.letters if (x.consumer, x.digest) not in sent]
    return letters + [f"an effect of {e.consumer}" for e in outcome.effects if (e.consumer, e.digest) not in sent]


def other_headers(outcome: Outcome) -> Iterator[str]:
    """Letters whose headers are not those of any message with that body."""
    shown = defaultdict(list)
    for due in outcome.due:
        shown[due.consumer, due.digest].append(due)
    for letter in outcome.letters:
        sent = shown[letter.consumer, letter.digest]
        if sent and not any(due.headers is None or _same(due.headers, letter.headers) for due in sent):
            yield f"message {sent[0].n} at {letter.consumer}: {_difference(sent[0].headers or {}, letter.headers)}"


def _same(sent: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    return not _difference(sent, shown)


def _difference(sent: Mapping[str, Any], shown: Mapping[str, Any]) -> list[str]:
    return [f"{name!r:.60}" for name in {*sent, *shown} if not _equal(sent.get(name), shown.get(name))]


def _equal(sent: Any, shown: Any) -> bool:
    """``...`` stands for any number, or none."""
    return sent is ... or (sent == shown and type(sent) is type(shown))


def wronged(outcome: Outcome) -> list[str]:
    """Sound events that became dead letters."""
    dead = {(letter.consumer, letter.digest): letter.reason for letter in outcome.letters}
    sound = [due for due in outcome.due if due.wholesome and (due.consumer, due.digest) in dead]
    return [f"message {due.n} at {due.consumer} is {dead[due.consumer, due.digest]}" for due in sound]


def died(outcome: Outcome) -> list[str]:
    """The process must not end before it is asked to, and then in order."""
    restarts = [f"the process was restarted {outcome.restarts} times"] if outcome.restarts else []
    return restarts + ([f"it ended with {outcome.exit_code}"] if outcome.exit_code else [])


def vacuous(outcome: Outcome) -> list[str]:
    """Reasons to believe that the run proved nothing."""
    seen = {letter.reason for letter in outcome.letters}
    seen |= {"duplicate" for _ in outcome.duplicates} | {
        f"an effect of {effect.consumer}" for effect in outcome.effects
    }
    seen |= {f"a dead letter of {letter.consumer}" for letter in outcome.letters}
    return [f"there was none: {what}" for what in outcome.wanted if what not in seen]


def key_of(consumer: str, body: bytes, headers: Mapping[str, Any]) -> Key | None:
    """Source and id of an event, read by Python's own JSON, with an eye closed; None where it finds none."""
    for prefix in ("cloudevents_", "cloudevents:", "ce-"):
        found = {name.lower()[len(prefix) :]: v for name, v in headers.items() if name.lower().startswith(prefix)}
        if {"id", "source"} <= found.keys():
            return consumer, str(found["source"]), str(found["id"])
    try:
        members = json.loads(body.decode("utf-8", "replace"), strict=False, parse_int=str)
        return consumer, str(members["source"]), str(members["id"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
