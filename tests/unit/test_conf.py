"""The settings are read live: nothing remembers what EVENTBRIDGE was."""

import typing

import pytest
from django.test import override_settings

from eventbridge.conf import Settings, settings
from eventbridge.transports import Options

KEYS = typing.get_type_hints(Settings)


def test_a_key_that_is_not_given_has_its_default():
    with override_settings(EVENTBRIDGE={}):
        assert settings.BROKER_URL == "database://"
        assert settings.MAX_EVENT_BYTES == 1024 * 1024


def test_without_the_dict_every_key_has_its_default(settings):
    from eventbridge.conf import settings as ours

    del settings.EVENTBRIDGE
    assert {key: getattr(ours, key) for key in KEYS} == {key: vars(Settings)[key] for key in KEYS}


def test_a_change_is_seen_at_once_and_taken_back():
    before = settings.SOURCE
    with override_settings(EVENTBRIDGE={"SOURCE": "/one"}):
        assert settings.SOURCE == "/one"
        with override_settings(EVENTBRIDGE={"SOURCE": "/two"}):
            assert settings.SOURCE == "/two"
        assert settings.SOURCE == "/one"
    assert before == settings.SOURCE


def test_a_false_value_is_a_value():
    with override_settings(EVENTBRIDGE={"AUTO_DECLARE": False, "CONSUMERS": []}):
        assert settings.AUTO_DECLARE is False
        assert settings.CONSUMERS == []


def test_a_transport_that_is_told_less_has_the_settings_defaults():
    assert Options(url="database://").confirm_timeout == Settings.CONFIRM_TIMEOUT
    assert Options(url="database://").heartbeat == Settings.HEARTBEAT


def test_a_key_that_does_not_exist_is_an_error():
    with pytest.raises(AttributeError, match="BROKER_ULR"):
        _ = settings.BROKER_ULR


def test_every_key_has_a_type_and_a_default():
    assert {key for key in vars(Settings) if key.isupper()} == set(KEYS)
