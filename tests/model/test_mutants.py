"""The model is a net: here is what it must not let through. Each mutant breaks one promise of eventbridge's code."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from tests.model import mutants
from tests.model.fate import Fate, plant
from tests.model.machine import (
    Model,
    OnABrokerLikeRabbitMQ,
    OnTheEmbeddedBroker,
    blows,
    commits,
    consumers,
    polls,
    takes,
)
from tests.model.turns import Turn, Works

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite, pytest.mark.timeout(180)]


rejects = st.builds(Works, consumers, st.just([]), st.just(["rejects", "rejects"]), blows(2, 3), st.just(False))


class WhereMuchIsRejected(OnABrokerLikeRabbitMQ):
    """Dead letters are rare elsewhere, and a death just before one is written is rarer still."""

    @initialize(journeys=st.lists(st.tuples(commits, polls, takes, rejects, rejects), min_size=2, max_size=5))
    def begins(self, journeys: list[tuple[Turn, ...]]) -> None:
        self.play(journeys)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("mutant", "machine", "finding"),
    [
        (mutants.a_nack_is_read_as_a_confirm, OnABrokerLikeRabbitMQ, "lost"),
        (mutants.what_comes_back_is_taken_for_confirmed, OnABrokerLikeRabbitMQ, "lost"),
        (mutants.what_was_optional_is_all, OnTheEmbeddedBroker, "lost"),
        (mutants.a_row_is_deleted_before_it_is_confirmed, OnABrokerLikeRabbitMQ, "lost"),
        (mutants.a_row_is_deleted_before_it_is_confirmed, OnTheEmbeddedBroker, "lost"),
        (mutants.a_relay_trusts_its_lease_for_ever, OnABrokerLikeRabbitMQ, "never empty"),
        (mutants.the_inbox_is_not_asked, OnTheEmbeddedBroker, None),
        (mutants.it_is_acknowledged_before_the_commit, OnABrokerLikeRabbitMQ, "lost"),
        (mutants.it_is_acknowledged_before_the_commit, OnTheEmbeddedBroker, "lost"),
        (mutants.a_retry_is_settled_before_it_is_stored, OnABrokerLikeRabbitMQ, "lost"),
        (mutants.a_dead_letter_is_acknowledged_before_its_commit, WhereMuchIsRejected, "lost"),
        (mutants.what_is_handed_back_is_charged, OnTheEmbeddedBroker, "charged"),
        (mutants.a_certificate_of_death_is_believed, OnABrokerLikeRabbitMQ, "charged|never comes to rest"),
    ],
)
def test_the_model_finds_every_mutant_that_breaks_a_promise(
    mutant: mutants.Mutant, machine: type[Model], finding: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Model, "fate", Fate(), raising=False)
    monkeypatch.setattr("tests.model.world._PATIENCE", 60)
    mutant(monkeypatch)
    plant(monkeypatch, Model.fate)
    profile = settings(
        max_examples=100,
        stateful_step_count=5,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(AssertionError, match=finding):
        run_state_machine_as_test(machine, settings=profile)
