"""Text for people: nothing in it steers a terminal, nothing in it is secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbridge.wording import age, count, one_line, plain, pretty, without_password


@given(st.text())
def test_whatever_came_in_is_printable_and_text_stays_as_it_was(text):
    assert all(character.isprintable() or character.isspace() for character in plain(text))
    assert not set(plain(text)) & set(map(chr, [*range(32), *range(127, 160)]))
    if text.isprintable():
        assert plain(text) == text


@given(st.binary())
def test_any_body_can_be_shown(body):
    assert all(line.isprintable() or "\xa0" in line or " " in line for line in pretty(body).split("\n"))


def test_a_cell_is_one_line():
    assert one_line(" a\r\n\tb\x1b[0m ") == "a b\\x1b[0m"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3_599, "59 min"), (7_200, "2 h"), (2e5, "2 d")]
)
def test_an_age_has_one_unit(seconds, text):
    assert age(seconds) == text


def test_a_count_agrees_with_its_noun():
    assert [count(0, "event"), count(1, "event"), count(1_204, "event")] == ["0 events", "1 event", "1,204 events"]


@pytest.mark.parametrize("url", ["database://", "amqp://one/v", "amqp://shop@one:5672/v"])
def test_a_url_without_a_password_stays_as_it_is(url):
    assert without_password(url) == url
