"""What is done to an event so that it is none any more, or a strange one. Each is a function of a Draft."""

from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz import corpus, drafts, fields, spoiling
from tests.fuzz.contracts import CONSUMERS, typed, untyped
from tests.fuzz.drafts import Draft, Token, ways
from tests.fuzz.fields import Field

_PREFIXES = ("cloudEvents_", "cloudEvents:", "ce-", "CE-", "cloudevents_")


def _bytes(change: Callable[[Random, bytes], bytes]) -> Callable[[Draft], None]:
    def recipe(draft: Draft) -> None:
        own = Random(draft.random.random())
        draft.spoil.append(lambda body: change(own, body))

    recipe.__name__ = change.__name__
    return recipe


def _tell(draft: Draft, does: str) -> None:
    """Have the handler misbehave, if it comes to that."""
    if isinstance(draft.members["data"], dict):
        draft.members["data"]["does"] = does


# --- the event ---


def attribute(draft: Draft) -> None:
    """A strange value in the place of an attribute."""
    name = draft.random.choice(corpus.ATTRIBUTES)
    known: dict[str, list[str]] = {"time": corpus.TIMES, "sequence": corpus.SEQUENCES, "specversion": corpus.VERSIONS}
    texts: list[Any] = known.get(name, corpus.TEXTS)
    tokens = [Token(token) for token in corpus.TOKENS]
    draft.members[name] = draft.random.choice(draft.random.choice((texts, texts, tokens)))


def strange_time(draft: Draft) -> None:
    draft.members["time"] = draft.random.choice(corpus.TIMES)


def no_attribute(draft: Draft) -> None:
    draft.members.pop(draft.random.choice(list(draft.members)), None)
    draft.members.setdefault("data", None)


def more_attributes(draft: Draft) -> None:
    for _ in range(draft.random.choice((1, 3, 300))):
        draft.members[draft.random.choice(corpus.TEXTS)[:300]] = Token(draft.random.choice(corpus.TOKENS[:30]))


def datum(draft: Draft) -> None:
    """A strange value in the data, or in its place."""
    value = draft.random.choice([*map(Token, corpus.TOKENS), *corpus.TEXTS])
    data = draft.members["data"]
    if isinstance(data, dict) and draft.random.random() < 0.8:
        data[draft.random.choice([*data, "added"])] = value
    else:
        draft.members["data"] = value


def unstorable(draft: Draft) -> None:
    """Text that the handler will try to put into its database."""
    if isinstance(draft.members["data"], dict):
        draft.members["data"]["email"] = draft.random.choice(("a\x00b", "\x00", "\U0010ffff", "\x1b[2J", "e\u0301"))


def huge(draft: Draft) -> None:
    size = draft.random.choice((10_000, 100_000, 5 * corpus.MEBIBYTE)) if draft.random.random() < 0.02 else 10_000
    draft.members[draft.random.choice(("id", "subject", "data", "x"))] = "a" * size


def deeper(draft: Draft) -> None:
    depth = draft.random.choice((100, 1_000, corpus.DEEP)) if draft.random.random() < 0.2 else 500
    draft.members[draft.random.choice(("data", "x", "id"))] = Token(b"[" * depth + b"]" * depth)


def told(draft: Draft) -> None:
    """A sound event, which the handler is told to fail."""
    _tell(draft, draft.random.choice(("fail", "retry", "reject")))


# --- what AMQP carries ---


def binary(draft: Draft) -> None:
    draft.prefix = draft.random.choice(_PREFIXES)


def binary_of_any_type(draft: Draft) -> None:
    """An attribute as a header of a type that is not text."""
    binary(draft)
    name = draft.random.choice(corpus.ATTRIBUTES[:-1])
    draft.members[name] = draft.random.choice(corpus.FIELDS)


def on_the_ladder(draft: Draft) -> bool:
    """The broker dead-letters it there, and drops what goes in circles by its x-death; it believes the sender's."""
    return draft.exchange.startswith("eventbridge.retry")


def header(draft: Draft) -> None:
    for _ in range(draft.random.choice((1, 2, 5, 50))):
        name = draft.random.choice(corpus.NAMES)
        if not (on_the_ladder(draft) and name.startswith(b"x-")):
            draft.headers.append((name, draft.random.choice(corpus.FIELDS)))


def forged(draft: Draft) -> None:
    """Headers that the broker, or we, would write."""
    attempt: list[Field] = [*corpus.FIELDS, fields.number("l", 2), fields.number("l", 3), fields.number("l", 10**6)]
    draft.headers.append((b"eventbridge-attempt", draft.random.choice(attempt)))
    if not on_the_ladder(draft):
        draft.headers.append((b"x-death", corpus.forged_death(draft.consumer.encode())))
        draft.headers.append((b"x-delivery-count", draft.random.choice(attempt)))


def crowded(draft: Draft) -> None:
    """Headers that fill a frame, so that no other one finds room; and the handler asks for a retry."""
    draft.crowd = draft.random.choice((1_000, 1_000, 1_000, 30_000, drafts.FRAME))
    _tell(draft, draft.random.choice(("", "fail", "retry")))


def content_type(draft: Draft) -> None:
    draft.properties["content_type"] = draft.random.choice(corpus.CONTENT_TYPES)
    if draft.random.random() < 0.3:
        _tell(draft, "fail")


def short_string(draft: Draft) -> None:
    """Strange values in the properties; and, often, a retry that has to carry them on."""
    names = ("content_encoding", "correlation_id", "reply_to", "message_id", "type", "app_id", "cluster_id")
    for _ in range(draft.random.choice((1, 2, 7))):
        draft.properties[draft.random.choice(names)] = draft.random.choice(corpus.SHORT)
    if draft.random.random() < 0.5:
        _tell(draft, draft.random.choice(("fail", "retry")))


def figure(draft: Draft) -> None:
    draft.properties["timestamp"] = draft.random.choice(
        (0, 1, 2**31, 253_402_300_799, 253_402_300_800, 2**63, 2**64 - 1)
    )
    draft.properties["priority"] = draft.random.choice((0, 1, 9, 10, 255))
    draft.properties["delivery_mode"] = draft.random.choice((1, 2))
    draft.properties["expiration"] = draft.random.choice((b"86400000", b"4294967295"))


# --- the way ---


def another_type(draft: Draft) -> None:
    """A type that the routing key does not name: a forgery."""
    name = draft.random.choice(CONSUMERS)
    draft.members["type"] = draft.random.choice((typed(name), untyped(name), f"{name}.unknown.v1", "#", name))


def unknown_type(draft: Draft) -> None:
    draft.exchange, draft.key = draft.random.choice(ways(draft.consumer)[:2])
    draft.members["type"] = draft.random.choice(
        (f"{draft.consumer}.unknown.v1", "unknown", "a" * 255, "日本", "a b", "..", "#")
    )


def another_way(draft: Draft) -> None:
    draft.exchange, draft.key = draft.random.choice(ways(draft.consumer))


def copies(draft: Draft) -> None:
    """To others' queues, past the rights that a routing key needs."""
    others = [draft.random.choice((typed, untyped))(name) for name in draft.random.sample(CONSUMERS, 2)]
    draft.headers.append((draft.random.choice((b"CC", b"BCC")), fields.array(map(fields.text, others))))
    draft.copies.extend(others)


BYTES = tuple(map(_bytes, spoiling.ALL))
EVENT = (
    attribute,
    attribute,
    strange_time,
    no_attribute,
    more_attributes,
    datum,
    datum,
    unstorable,
    huge,
    deeper,
    told,
)
CARRIED = (binary, binary, binary_of_any_type, header, forged, crowded, content_type, short_string, figure)
WAY = (another_type, unknown_type, another_way, copies)
WHOLE = (_bytes(spoiling.other),)
