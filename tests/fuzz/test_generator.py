"""The generator: replayable, various, and always for somebody."""

from collections import Counter

from tests.fuzz import recipes
from tests.fuzz.checker import key_of
from tests.fuzz.contracts import CONSUMERS
from tests.fuzz.generator import make
from tests.wire.payloads import PAID

MANY = 600


def test_a_seed_and_a_number_are_always_the_same_message_in_whatever_order():
    assert [make("s", n) for n in (41, 7, 300)] == [make("s", n) for n in (41, 7, 300)]
    assert make("s", 41) != make("t", 41)


def test_every_message_reaches_a_consumer_and_every_recipe_is_used():
    made = [make("1", n) for n in range(MANY)]
    assert all(sent.consumers for sent in made)
    assert {name for sent in made for name in sent.consumers} == set(CONSUMERS)
    every = (*recipes.BYTES, *recipes.EVENT, *recipes.CARRIED, *recipes.WAY, *recipes.WHOLE)
    used = Counter(recipe for sent in made for recipe in sent.recipes)
    assert {recipe.__name__ for recipe in every} | {"again", "impostor"} == set(used)


def test_some_are_sound_and_those_are_golden_messages_with_an_id_of_their_own():
    sound = [sent for n in range(MANY) if (sent := make("1", n)).wholesome]
    assert len(sound) > MANY / 10
    assert any(PAID.partitionkey.encode() in sent.body for sent in sound)
    assert len({sent.digest for sent in sound}) == len(sound)


def test_some_come_again_byte_by_byte_and_some_have_the_id_of_another():
    made = [make("1", n) for n in range(MANY)]
    bodies = Counter(sent.body for sent in made)
    assert any(bodies[sent.body] > 1 for sent in made if "again" in sent.recipes)
    keys = Counter({(key_of("", sent.body, sent.shown), sent.digest) for sent in made})
    contents = Counter(key for key, _ in keys if key)
    assert any(contents[key_of("", sent.body, sent.shown)] > 1 for sent in made if sent.recipes == ("impostor",))
