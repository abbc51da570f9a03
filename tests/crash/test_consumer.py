"""A consumer that dies at each step from the delivery to its acknowledgement: every event takes effect exactly once,
or becomes one dead letter with the right number of attempts."""

import pytest
from django.core.management import call_command

from eventbridge.models import DeadLetter, InboxEntry
from tests.crash.scene import BATCHES, NOTES, OUTSIDE, Scene, died, effects, letters, settled, tell
from tests.services.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def deliver(scene: Scene):
    """Emits events and relays them."""

    def deliver(*texts: str, does: str = "note") -> None:
        tell(*texts, does=does)
        scene.relay()

    return deliver


def handled_once(scene: Scene, *texts: str, consumer: str = "crash.notes") -> None:
    assert effects() == sorted(texts)
    assert InboxEntry.objects.filter(consumer=consumer, handled_at__isnull=False).count() == len(texts)
    assert letters() == []


def test_a_consumer_that_dies_between_effect_and_commit_has_done_nothing(scene: Scene, deliver):
    deliver("a", "b")
    scene.dies("consume.handled", "consume", NOTES)
    assert (effects(), scene.runs()) == ([], 1)
    scene.consume(2)
    handled_once(scene, "a", "b")
    assert (scene.runs("a"), scene.runs("b")) == (2, 1)


def test_a_consumer_that_dies_during_the_commit_has_done_everything_or_nothing(scene: Scene, deliver):
    deliver("a", "b")
    scene.dies("consume.committing", "consume", NOTES)
    assert scene.runs() == 1
    scene.consume(2)
    handled_once(scene, "a", "b")
    assert scene.runs("b") == 1


def test_a_consumer_that_dies_between_commit_and_acknowledgement_has_done_it_once(scene: Scene, deliver):
    deliver("a", "b")
    scene.dies("consume.committed", "consume", NOTES)
    assert effects() == ["a"]
    scene.consume(2)
    handled_once(scene, "a", "b")
    assert (scene.runs("a"), scene.runs("b")) == (1, 1)


def test_a_suspect_whose_process_dies_before_it_runs_is_handled_once(scene: Scene, deliver):
    deliver("a", "b")
    scene.dies("consume.handled", "consume", NOTES)
    scene.dies("consume.marked", "consume", NOTES)
    assert scene.runs("a") == 1
    scene.consume(2)
    handled_once(scene, "a", "b")


@pytest.mark.parametrize(
    ("failpoint", "hit", "effects_then", "runs"),
    [
        ("consume.handled", 2, [], (2, 2, 1)),
        ("consume.committed", 1, ["a", "b", "c"], (1, 1, 1)),
    ],
)
def test_a_batch_whose_process_dies_has_taken_effect_as_a_whole_or_not_at_all(
    scene: Scene, deliver, failpoint: str, hit: int, effects_then: list[str], runs: tuple[int, ...]
):
    deliver("a", "b", "c")
    scene.dies(failpoint, "consume", BATCHES, hit=hit)
    assert effects() == effects_then
    scene.consume(3, BATCHES)
    handled_once(scene, "a", "b", "c", consumer="crash.batches")
    assert tuple(scene.runs(text) for text in "abc") == runs


def test_a_batch_whose_process_dies_while_it_commits_has_taken_effect_as_a_whole_or_not_at_all(scene: Scene, deliver):
    """PostgreSQL commits what it was asked to, though nobody hears the answer; SQLite does not."""
    deliver("a", "b", "c")
    scene.dies("consume.committing", "consume", BATCHES)
    committed = effects()
    assert committed in ([], ["a", "b", "c"])
    scene.consume(3, BATCHES)
    handled_once(scene, "a", "b", "c", consumer="crash.batches")
    assert {scene.runs(text) for text in "abc"} == {1 if committed else 2}


def test_outside_of_transactions_an_event_is_repeated_under_its_own_id(scene: Scene, deliver):
    deliver("a")
    scene.dies("consume.handled", "consume", OUTSIDE)
    scene.consume(1, OUTSIDE)
    first, second = scene.log.read_text().splitlines()
    assert first == second


def test_outside_of_transactions_an_event_is_not_repeated_once_it_is_in_the_inbox(scene: Scene, deliver):
    deliver("a")
    scene.dies("consume.recorded", "consume", OUTSIDE)
    scene.consume(1, OUTSIDE)
    assert scene.runs() == 1


def test_a_consumer_that_dies_between_retry_and_acknowledgement_loses_nothing_and_repeats_nothing(
    scene: Scene, deliver
):
    deliver("a", does="fail once")
    scene.dies("consume.retried", "consume", NOTES)
    assert effects() == []
    scene.consume(copies(scene))
    handled_once(scene, "a")


def copies(scene: Scene) -> int:
    """Where a retry is another message than the one that failed, there are two of them now."""
    return 1 if scene.url.startswith("database") else 2


def test_a_failing_event_whose_consumer_dies_after_a_retry_is_one_dead_letter_after_its_attempts(scene: Scene, deliver):
    deliver("a", does="fail")
    scene.dies("consume.retried", "consume", NOTES, hit=2)
    scene.consume(copies(scene))
    assert letters() == [("failed", 3)]
    assert effects() == []


def test_a_consumer_that_dies_between_dead_letter_and_acknowledgement_leaves_one_dead_letter(scene: Scene, deliver):
    deliver("a", does="reject")
    scene.dies("consume.buried", "consume", NOTES)
    assert letters() == [("rejected", 1)]
    scene.consume(1)
    assert letters() == [("rejected", 1)]


def test_a_dead_letter_whose_consumer_died_counts_the_attempts_of_the_ladder_alone(scene: Scene, deliver):
    deliver("a", does="fail")
    scene.dies("consume.buried", "consume", NOTES)
    assert letters() == [("failed", 3)]
    scene.consume(1)
    assert letters() == [("failed", 3)]


def test_a_consumer_that_dies_while_it_stops_takes_no_event_along(scene: Scene, deliver):
    deliver("a", does="hang once")
    deliver("b", "c")
    stopping = scene.start("consume", NOTES, FAILPOINT="consume.stopping")
    wait_for(scene.runs, 20, what="a handler to run")
    stopping.terminate()
    died(stopping)
    assert "is stopping" in stopping.output
    assert effects() == []
    scene.consume(3)
    handled_once(scene, "a", "b", "c")
    assert (scene.runs("b"), scene.runs("c")) == (1, 1)


def test_a_replay_whose_process_dies_before_its_letter_is_deleted_takes_effect_once(scene: Scene, deliver):
    deliver("a", does="reject once")
    process = scene.start("consume", NOTES)
    settled(process, 1)
    scene.stop(process)
    call_command("eventbridge", "dead", "replay", str(DeadLetter.objects.get().pk))
    scene.dies("replay.handled", "consume", NOTES)
    assert (effects(), letters()) == (["a"], [("rejected", 1)])
    scene.consume(1)
    handled_once(scene, "a")
    assert scene.runs() == 2


def test_a_process_whose_handler_hangs_in_its_transaction_is_gone_by_the_deadline(scene: Scene, deliver):
    deliver("a", does="hang once")
    deliver("b", "c")
    process = scene.start("consume", NOTES, SHOP_SHUTDOWN_TIMEOUT="1")
    wait_for(scene.runs, 20, what="a handler to run")
    process.terminate()
    assert process.wait(5) == 1
    scene.consume(3)
    handled_once(scene, "a", "b", "c")
