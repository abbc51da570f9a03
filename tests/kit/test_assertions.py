"""assert_published and its kin: when they pass, when they fail, and what they say then."""

from decimal import Decimal
from unittest.mock import ANY

import pytest

from eventbridge import emit, emit_many
from eventbridge.event import event_types
from eventbridge.testing import assert_not_published, assert_published, assert_published_once, deliver
from tests.kit.parts import Ordered, Packed, Sent, packing

pytestmark = pytest.mark.django_db


def failure(function, *arguments, **fields) -> str:
    """What the assertion says as it fails."""
    with pytest.raises(AssertionError) as raised:
        function(*arguments, **fields)
    return str(raised.value)


def test_an_event_that_fits_is_returned():
    emit(Ordered(number=1))
    emit(Ordered(number=2))

    assert assert_published(Ordered).data.number == 2
    assert assert_published(Ordered, number=1, price=Decimal("9.9")).subject == "1"
    assert assert_published("kit.#", item="lamp").data.number == 2


def test_values_may_be_anything_that_compares():
    emit(Ordered(number=1, item="lamp"))

    assert_published(Ordered, number=ANY, item=ANY)
    assert_published(Ordered, number=pytest.approx(1.0001, abs=0.1))


def test_events_that_were_delivered_count_and_what_handlers_emitted_too():
    emit(Ordered(number=1))
    deliver(packing)

    assert_published_once(Ordered, number=1)
    assert_published_once(Packed, item="lamp")


def test_a_failure_tells_the_nearest_event_and_what_else_there_was():
    emit(Ordered(number=1, item="desk"))
    emit(Ordered(number=2, item="lamp"))
    emit(Packed(item="lamp"))

    assert failure(assert_published, Ordered, number=7, item="lamp", price=Decimal("9.90")) == (
        "Ordered(number=7, item='lamp', price=Decimal('9.90')) was not published.\n"
        "\n"
        "The nearest of 2:\n"
        "  Ordered(number=2, item='lamp', price=Decimal('9.90'))\n"
        "    number: expected 7\n"
        "            but was  2\n"
        "\n"
        "Published, in this order:\n"
        "  Ordered(number=1, item='desk', price=Decimal('9.90'))\n"
        "  Ordered(number=2, item='lamp', price=Decimal('9.90'))\n"
        "  Packed(item='lamp')"
    )


def test_of_those_equally_near_it_is_the_last():
    emit(Ordered(number=1))
    emit(Ordered(number=2))

    assert "was  2" in failure(assert_published, Ordered, number=7)


def test_a_type_that_was_not_published_at_all_has_no_nearest():
    emit(Packed(item="lamp"))

    assert failure(assert_published, Ordered) == (
        "Ordered was not published.\n\nPublished, in this order:\n  Packed(item='lamp')"
    )


def test_nothing_published_is_said_so():
    assert failure(assert_published_once, Ordered, number=1) == (
        "Ordered(number=1) was not published: nothing was (or it was rolled back)."
    )


def test_values_that_look_the_same_are_told_apart_by_their_types():
    class Shy(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            return False

        __hash__ = str.__hash__

    emit(Packed(item="lamp"))

    said = failure(assert_published, Packed, item=Shy("lamp"))
    assert "item: expected 'lamp' (Shy)\n          but was  'lamp' (str)" in said


def test_of_long_values_the_place_where_they_differ_is_shown():
    emit(Packed(item="a" * 500 + "b" + "c" * 500))

    said = failure(assert_published, Packed, item="a" * 500 + "X" + "c" * 500)
    assert "aaX" in said
    assert "aab" in said
    assert max(map(len, said.splitlines())) < 200


def test_of_many_events_the_first_are_shown():
    emit_many(Ordered(number=number) for number in range(25))

    said = failure(assert_published, Packed)
    assert "number=19" in said
    assert said.endswith("… and 5 more")


def test_once_means_once():
    emit(Ordered(number=1))
    emit(Ordered(number=1))
    emit(Ordered(number=2))

    assert assert_published_once(Ordered, number=2).data.number == 2
    assert failure(assert_published_once, Ordered, number=1).splitlines()[0] == (
        "Ordered(number=1) was published 2 times:"
    )


def test_what_was_not_published_was_not():
    emit(Ordered(number=1))

    assert_not_published(Packed)
    assert_not_published(Ordered, number=2)
    assert failure(assert_not_published, Ordered, number=1) == (
        "Ordered(number=1) was published:\n  Ordered(number=1, item='lamp', price=Decimal('9.90'))"
    )


def test_without_a_type_nothing_at_all_was_published():
    assert_not_published()
    emit(Packed(item="lamp"))
    assert failure(assert_not_published) == "'#' was published:\n  Packed(item='lamp')"


@pytest.mark.parametrize("function", [assert_published, assert_published_once, assert_not_published])
def test_a_misspelt_field_is_an_error_and_never_a_pass(function):
    with pytest.raises(TypeError, match="Ordered has no field 'itm'; it has number, item, price"):
        function(Ordered, itm="lamp")
    with pytest.raises(TypeError, match=r"'kit\.packed\.\*' has no field 'itm'"):
        function("kit.packed.*", itm="lamp")


def test_an_event_without_the_field_does_not_fit():
    emit(Packed(item="lamp"))

    assert "to: expected 'Ada'\n        but was  not there" in failure(assert_published, "kit.#", to="Ada")


def test_types_without_a_class_here_are_compared_as_json():
    emit(Packed(item="lamp"))
    emit(Sent(to="Ada"))
    del event_types[Packed], event_types[Sent]

    assert assert_published("kit.packed.v1", item="lamp").data == {"item": "lamp"}
    said = failure(assert_published, "kit.packed.v1", item="desk")
    assert "kit.packed.v1 {'item': 'lamp'}" in said
    assert "kit.sent.v1 {'to': 'Ada', 'at': None, 'by': None}" in said
