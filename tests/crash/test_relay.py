"""A relay that dies at each step from the outbox to the broker: nothing is lost, and what is published twice is the
same event twice."""

import signal

import pytest
from django.db.models.functions import Now

from eventbridge import emit
from eventbridge.models import Lease, OutboxEntry
from tests.crash.consumers import Unwanted
from tests.crash.scene import Scene, died, effects, letters, outbox, tell
from tests.services.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def all_is_well(scene: Scene, *texts: str) -> None:
    """The outbox is empty, and whatever was on the wire took effect once."""
    assert outbox() == []
    scene.consume(len(scene.wire()))
    assert effects() == sorted(texts)
    assert scene.runs() == len(texts)
    assert letters() == []


def test_a_relay_that_dies_after_it_read_a_batch_has_published_nothing_of_it(scene: Scene):
    ids = tell("a", "b", "c")
    scene.dies("relay.read", "relay")
    assert (scene.wire(), outbox()) == ([], ids)
    scene.relay()
    assert scene.wire() == ids
    all_is_well(scene, "a", "b", "c")


def test_a_relay_that_dies_before_it_reads_the_confirm_publishes_again_under_the_same_ids(scene: Scene):
    ids = tell("a", "b", "c")
    scene.dies("relay.unconfirmed", "relay")
    assert outbox() == ids
    scene.relay()
    wire = scene.wire()
    assert set(wire) == set(ids)
    assert wire.count(ids[0]) == 2
    assert max(map(wire.count, ids)) == 2
    all_is_well(scene, "a", "b", "c")


def test_a_relay_that_dies_between_the_confirm_and_the_delete_publishes_once_more(scene: Scene):
    ids = tell("a", "b", "c")
    scene.dies("relay.confirmed", "relay")
    assert (scene.wire(), outbox()) == (ids, ids)
    scene.relay()
    assert scene.wire() == ids + ids
    all_is_well(scene, "a", "b", "c")


def test_a_relay_that_dies_while_the_delete_commits_has_deleted_all_or_nothing(scene: Scene):
    ids = tell("a", "b", "c")
    scene.dies("relay.deleting", "relay")
    left = outbox()
    assert left in (ids, [])
    scene.relay()
    assert scene.wire() == ids + left
    all_is_well(scene, "a", "b", "c")


def test_a_relay_that_dies_after_the_delete_publishes_nothing_twice(scene: Scene):
    ids = tell("a", "b", "c")
    scene.dies("relay.deleted", "relay")
    assert outbox() == []
    scene.relay()
    assert scene.wire() == ids
    all_is_well(scene, "a", "b", "c")


def test_a_relay_that_dies_before_it_parks_an_event_leaves_it_to_the_next_one(scene: Scene):
    emit(Unwanted(text="nobody's"))
    [wanted] = tell("wanted")
    scene.dies("relay.parking", "relay")
    assert scene.wire() == [wanted]
    scene.relay()
    assert OutboxEntry.objects.parked().get().type == "crash.unwanted.v1"
    assert set(scene.wire()) == {wanted}
    all_is_well(scene, "wanted")


def test_a_standby_that_dies_as_it_takes_the_lease_is_followed_by_the_next_one(scene: Scene):
    active = scene.start("relay", SHOP_RELAY_LEASE="2", SHOP_CONFIRM_TIMEOUT="0.9")
    active.wait_for_output("is ready")
    standby = scene.start("relay", FAILPOINT="relay.leads", SHOP_RELAY_LEASE="2", SHOP_CONFIRM_TIMEOUT="0.9")
    standby.wait_for_output("is standby")
    active.kill()
    ids = tell("a", "b")
    died(standby)
    assert (scene.wire(), outbox()) == ([], ids)
    scene.relay()
    assert scene.wire() == ids
    all_is_well(scene, "a", "b")


def test_a_relay_that_sleeps_while_its_lease_changes_hands_repeats_what_it_had_read_and_nothing_else(scene: Scene):
    ids = tell("a", "b")
    sleeper = scene.start("relay", FAILPOINT="relay.read", FAILPOINT_SLEEPS=f"{scene.log}.go")
    sleeper.wait_for_output("asleep")
    Lease.objects.update(expires_at=Now())
    scene.relay()
    assert (scene.wire(), outbox()) == (ids, [])
    scene.go_on()
    wait_for(lambda: scene.wire() == ids + ids, what="the same events once more")
    scene.stop(sleeper)
    all_is_well(scene, "a", "b")


def test_a_relay_that_dies_before_it_gives_up_its_lease_is_followed_when_the_lease_is_over(scene: Scene):
    stopping = scene.start("relay", FAILPOINT="relay.releasing", SHOP_RELAY_LEASE="2", SHOP_CONFIRM_TIMEOUT="0.9")
    stopping.wait_for_output("is ready")
    standby = scene.start("relay", SHOP_RELAY_LEASE="2", SHOP_CONFIRM_TIMEOUT="0.9")
    standby.wait_for_output("is standby")
    stopping.terminate()
    assert stopping.wait() == -signal.SIGKILL
    ids = tell("a")
    standby.wait_for_output("relay default is ready")
    wait_for(lambda: not outbox(), what="the outbox to be empty")
    assert scene.wire() == ids
    scene.stop(standby)
    all_is_well(scene, "a")
