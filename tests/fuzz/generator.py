"""The generator: message ``n`` of a seed, always the same, whoever asks for it and in whatever order."""

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz import recipes
from tests.fuzz.contracts import CONSUMERS, typed, untyped
from tests.fuzz.drafts import Draft, Sent, finish

_WIRE = Path(__file__).parents[1] / "wire"
_KINDS = (
    (None, 20),
    ("again", 6),
    ("impostor", 4),
    (recipes.BYTES, 20),
    (recipes.EVENT, 22),
    (recipes.CARRIED, 20),
    (recipes.WAY, 6),
    (recipes.WHOLE, 2),
)
"""What kinds of messages there are, and of a hundred how many."""


@cache
def golden(name: str) -> bytes:
    """A message as it is frozen beside the tests of the wire."""
    return (_WIRE / name).read_bytes()


def make(seed: str, n: int) -> Sent:
    """Message ``n``."""
    return finish(_draft(seed, n))


def _draft(seed: str, n: int) -> Draft:
    random = Random(f"{seed}/{n}")
    [kind] = random.choices([kind for kind, _ in _KINDS], [weight for _, weight in _KINDS])
    if isinstance(kind, str):
        return _again(seed, n, random, same=kind == "again")
    draft = _sound(n, random)
    for recipe in _some(random, kind) if kind else ():
        draft.recipes.append(recipe.__name__)
        recipe(draft)
    return draft


def _some(random: Random, kind: tuple[Any, ...]) -> list[Any]:
    """Mostly one; sometimes several, of several kinds, that meet in one message."""
    chosen = [random.choice(kind)]
    while random.random() < 0.3:
        chosen.append(random.choice((*recipes.BYTES, *recipes.EVENT, *recipes.CARRIED)))
    return chosen


def _sound(n: int, random: Random) -> Draft:
    """An event that its consumer must handle."""
    consumer = random.choice(CONSUMERS)
    as_class = random.random() < 0.7
    members = json.loads(golden("order_paid.json" if as_class else "everything.json"))
    key = typed(consumer) if as_class else untyped(consumer)
    members.update(id=f"{random.getrandbits(128):032x}", source=random.choice(("/shop", "/theirs")), type=key)
    members["data"]["email"] = f"{n}@example.org"
    return Draft(n, random, consumer, members, key)


def _again(seed: str, n: int, random: Random, *, same: bool) -> Draft:
    """An earlier message once more; or another one that says it is that, with content of its own."""
    earlier = _draft(seed, random.randrange(n)) if n else _sound(n, random)
    if not same:
        draft = _sound(n, random)
        if draft.consumer == earlier.consumer or random.random() < 0.5:
            draft.consumer, draft.key = earlier.consumer, typed(earlier.consumer)
        draft.members.update(id=earlier.members.get("id"), type=draft.key)
        if random.random() < 0.7:
            draft.members["source"] = earlier.members.get("source")
        draft.recipes.append("impostor")
        return draft
    earlier.n = n
    earlier.recipes.append("again")
    return earlier
