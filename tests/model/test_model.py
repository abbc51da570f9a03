"""Random histories of everything at once, with a death between any two steps, on both kinds of broker.

EVENTBRIDGE_MODEL_EXAMPLES says how many histories: some hundreds find what is subtle.
"""

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.fate import Fate, plant
from tests.model.machine import Model, OnABrokerLikeRabbitMQ, OnTheEmbeddedBroker

EXAMPLES = int(os.environ.get("EVENTBRIDGE_MODEL_EXAMPLES", "30"))

# Where one fails, a shorter history that fails is looked for: for five minutes at most.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600 + EXAMPLES)]


@pytest.fixture(autouse=True)
def _watched_and_quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Model, "fate", Fate(), raising=False)
    plant(monkeypatch, Model.fate)
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def play(machine: type[Model]) -> None:
    """So many histories of some thirty steps."""
    profile = settings(
        max_examples=EXAMPLES,
        stateful_step_count=15,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=profile)
    assert len(Model.fate.ever) >= 20 or EXAMPLES < 20, f"too little happened: {Model.fate.ever}"


def test_whatever_dies_between_any_two_steps_the_books_balance_on_the_embedded_broker():
    play(OnTheEmbeddedBroker)


def test_whatever_dies_between_any_two_steps_the_books_balance_on_a_broker_like_rabbitmq():
    play(OnABrokerLikeRabbitMQ)
