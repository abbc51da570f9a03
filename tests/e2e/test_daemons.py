"""From a committed transaction to an effect, through real processes that are killed, stopped and started again."""

from collections.abc import Callable, Iterable

import pytest
from django.core.management import call_command
from django.db import transaction
from django.db.models.functions import Now

from eventbridge import emit, emit_many
from eventbridge.models import DeadLetter, Heartbeat, InboxEntry, Lease, OutboxEntry
from tests.e2e.notes import Told
from tests.services.processes import Process
from tests.services.proxy import Proxy
from tests.services.rabbitmq import Vhost
from tests.services.waiting import wait_for
from tests.shop.models import Note

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "archive"]),
    pytest.mark.timeout(120),
]
Start = Callable[..., Process]


def notes(prefix: str = "") -> list[str]:
    """What the handlers left, without the notes of other consumers."""
    texts = Note.objects.order_by("id").values_list("text", flat=True)
    names = ("others ", "ordered ", "outside ")
    if prefix:
        return [text.removeprefix(prefix) for text in texts if text.startswith(prefix)]
    return sorted(text for text in texts if not text.startswith(names))


def tell(*texts: str, does: str = "note") -> None:
    emit_many(Told(text=text, does=does) for text in texts)


def wait_for_notes(texts: Iterable[str], prefix: str = "", timeout: float = 30) -> None:
    expected = sorted(texts)
    wait_for(lambda: sorted(notes(prefix)) == expected, timeout, what=f"{expected}, not {notes(prefix)}")


def test_an_event_that_commits_takes_effect_once_in_every_consumer(relay: Start, consume: Start):
    consume()
    relay()
    with transaction.atomic():
        tell("one", "two")
    wait_for_notes(["one", "two"])
    wait_for_notes(["one", "two"], "others ")
    wait_for_notes(["one", "two"], "ordered ")
    wait_for_notes(["one", "two"], "outside ")
    wait_for(lambda: not OutboxEntry.objects.exists(), what="the outbox to be empty")
    wait_for(lambda: InboxEntry.objects.count() == 8, what="eight inbox rows")


def test_daemons_commit_by_themselves_whatever_the_settings_leave_to_the_sites_code(relay: Start, consume: Start):
    consume(SHOP_AUTOCOMMIT="off")
    relay(SHOP_AUTOCOMMIT="off")
    tell("one")
    for prefix in ("", "others ", "ordered ", "outside "):
        wait_for_notes(["one"], prefix)
    wait_for(lambda: not OutboxEntry.objects.exists(), what="the outbox to be empty")
    wait_for(lambda: InboxEntry.objects.count() == 4, what="four inbox rows")


def test_what_is_rolled_back_is_never_handled(relay: Start, consume: Start):
    consume()
    relay()
    with transaction.atomic():
        tell("ghost")
        transaction.set_rollback(True)
    tell("real")
    wait_for_notes(["real"])
    assert notes() == ["real"]


def test_events_that_were_recorded_while_everything_was_down_are_handled_later(relay: Start, consume: Start):
    consume().terminate()
    tell(*[str(n) for n in range(50)])
    relay()
    consume()
    wait_for_notes([str(n) for n in range(50)])


def test_a_consumer_that_is_killed_while_it_handles_loses_nothing_and_repeats_nothing(relay: Start, consume: Start):
    victim = consume()
    relay()
    tell("held", does="slow")
    victim.wait_for_output("slow held")
    victim.kill()
    tell("next")
    consume()
    wait_for_notes(["held", "next"], timeout=40)


def test_a_relay_that_is_killed_in_full_flight_loses_nothing(relay: Start, consume: Start):
    consume()
    texts = [f"{n:04}" for n in range(3000)]
    tell(*texts)
    left = len(texts)
    for _ in range(3):
        victim = relay(says="is", SHOP_RELAY_BATCH="300")
        wait_for(lambda before=left: OutboxEntry.objects.count() < before, 30, what="it to publish a batch")
        victim.kill()  # in the midst of the next one
        assert 0 < OutboxEntry.objects.count() < left
        left = OutboxEntry.objects.count()
        Lease.objects.update(expires_at=Now())  # so that the next victim leads at once
    relay()
    wait_for(lambda: not OutboxEntry.objects.exists(), 60, what="the outbox to be empty")
    wait_for_notes(texts, "others ", timeout=60)


def test_a_standby_takes_over_from_a_relay_that_was_killed(relay: Start, consume: Start):
    consume()
    active = relay(SHOP_RELAY_LEASE="2", SHOP_CONFIRM_TIMEOUT="0.9")
    standby = relay(says="is standby", SHOP_RELAY_LEASE="2", SHOP_CONFIRM_TIMEOUT="0.9")
    active.kill()
    tell("after")
    standby.wait_for_output("relay default is ready")
    wait_for_notes(["after"])


def test_a_standby_takes_over_at_once_from_a_relay_that_stops(relay: Start, consume: Start):
    consume()
    active = relay(SHOP_RELAY_LEASE="60")
    standby = relay(says="is standby", SHOP_RELAY_LEASE="60")
    active.terminate()
    assert active.wait() == 0
    standby.wait_for_output("relay default is ready", timeout=3)


@pytest.mark.parametrize("lease", [60])
def test_sigterm_finishes_what_runs_hands_the_rest_back_and_exits_with_0(relay: Start, consume: Start):
    stopping = consume()
    relay()
    tell("a", "b", "c", "d", "e", does="slow")
    stopping.wait_for_output("slow ")
    stopping.terminate()
    assert stopping.wait() == 0
    done = notes()
    assert 1 <= len(done) < 5
    consume()  # which has two rounds of 1.5 s to do
    wait_for_notes(["a", "b", "c", "d", "e"], timeout=6)


def test_a_process_that_cannot_finish_in_time_exits_with_1(relay: Start, consume: Start):
    stopping = consume(SHOP_SHUTDOWN_TIMEOUT="1")
    relay()
    tell("stuck", does="hang")
    stopping.wait_for_output("hanging")
    stopping.terminate()
    assert stopping.wait(10) == 1


def test_a_second_sigterm_ends_it_now(relay: Start, consume: Start):
    stopping = consume()
    relay()
    tell("stuck", does="hang")
    stopping.wait_for_output("hanging")
    stopping.terminate()
    stopping.wait_for_output("is stopping")
    stopping.terminate()
    assert stopping.wait(3) == 128 + 15


@pytest.mark.parametrize("transport", ["amqp"], indirect=True)
def test_a_second_sigterm_ends_a_relay_now_although_it_waits_for_the_broker(
    relay: Start, consume: Start, vhost: Vhost, proxy_to: Callable[[str], Proxy]
):
    consume()
    proxy = proxy_to(vhost.url)
    stopping = relay(SHOP_BROKER_URL=proxy.in_front_of(vhost.url), SHOP_RELAY_LEASE="300", SHOP_CONFIRM_TIMEOUT="100")
    tell("one")
    wait_for_notes(["one"])
    proxy.to_client.hold()  # no confirm comes through
    tell("two")
    wait_for_notes(["one", "two"])
    stopping.terminate()
    stopping.wait_for_output("is stopping")
    stopping.terminate()
    assert stopping.wait(3) == 128 + 15


def test_a_failing_event_climbs_its_own_ladder_and_disturbs_no_other_consumer(relay: Start, consume: Start):
    consume()
    relay()
    tell("bad", does="fail")
    tell("good")
    letter = wait_for(DeadLetter.objects.first, 20, what="a dead letter")
    assert (letter.consumer, letter.attempts, letter.error) == ("e2e.notes", 3, "as it was told")
    wait_for_notes(["bad", "good"], "others ")
    assert notes() == ["good"]


def test_a_replayed_dead_letter_is_handled_by_its_consumer_alone(relay: Start, consume: Start):
    consume()
    relay()
    tell("bad", does="fail")
    letter = wait_for(DeadLetter.objects.first, 20, what="a dead letter")
    body = bytes(letter.body).replace(b'"does":"fail"', b'"does":"note"')
    DeadLetter.objects.update(body=body)
    call_command("eventbridge", "dead", "replay", str(letter.pk))
    wait_for_notes(["bad"])
    wait_for(lambda: not DeadLetter.objects.exists(), what="the letter to be gone")
    assert notes("others ") == ["bad"]


def test_a_replay_that_fails_again_is_the_same_dead_letter_with_a_new_story(relay: Start, consume: Start):
    consume()
    relay()
    tell("bad", does="fail")
    letter = wait_for(DeadLetter.objects.first, 20, what="a dead letter")
    call_command("eventbridge", "dead", "replay", str(letter.pk))
    wait_for(lambda: DeadLetter.objects.filter(replays=1, replay_at=None).exists(), 20, what="it to die again")
    assert DeadLetter.objects.count() == 1


def test_messages_that_kill_their_process_end_as_dead_letters_and_take_no_neighbour_along(
    relay: Start, consume: Start, daemon: Start
):
    """Neighbours of other consumers included, whose ladder is shorter than there are deaths."""
    consume().terminate()
    killers, healthy = ["killer", "murderer"], ["a", "b", "c"]
    tell(killers[0], does="die")
    tell(*healthy)
    tell(killers[1], does="die")
    relay()
    dead = DeadLetter.objects.filter(consumer="e2e.notes")
    for _ in range(24):
        process = daemon("eventbridge", "consume", "tests.e2e.notes")
        wait_for(lambda p=process: not p.running or dead.count() == 2, 40, what="it to die, or both to be given up")
        if dead.count() == 2:
            break
    wait_for_notes(healthy)
    wait_for_notes([*healthy, *killers], "others ")
    found = DeadLetter.objects.order_by("id").values_list("consumer", "reason")
    assert list(found) == [("e2e.notes", "crashed")] * 2


def test_a_handler_past_its_timeout_is_reported_and_its_process_exits(relay: Start, consume: Start):
    process = consume(E2E_TIMEOUT="1")
    relay()
    tell("stuck", does="hang")
    assert process.wait() == 70
    assert "time.sleep(3600)" in process.output
    assert "longer than" in process.output


def test_an_ordered_consumer_keeps_the_order_over_two_processes_and_a_failure(relay: Start, consume: Start):
    consume()
    consume()
    relay()
    texts = [f"{n:02}" for n in range(30)]
    emit_many(Told(text=text, does="fail once" if text == "07" else "note", key="k") for text in texts)
    wait_for(lambda: len(notes("ordered ")) == 30, 40, what="30 notes")
    assert notes("ordered ") == texts


def test_an_ordered_consumer_keeps_the_order_over_the_deaths_of_its_processes(relay: Start, consume: Start):
    processes = [consume() for _ in range(3)]
    texts = [f"{n:03}" for n in range(300)]
    emit_many(Told(text=text, key="k") for text in texts)
    relay()
    for victim, reached in zip(processes[:2], (20, 100), strict=True):
        wait_for(lambda so_far=reached: len(notes("ordered ")) >= so_far, 30, what="some notes")
        victim.kill()
        assert len(notes("ordered ")) < len(texts)
    wait_for(lambda: len(notes("ordered ")) >= len(texts), 60, what="300 notes")
    assert notes("ordered ") == texts


def test_the_heartbeats_come_with_a_daemon_and_go_with_it(relay: Start):
    process = relay()
    wait_for(lambda: Heartbeat.objects.filter(role="relay", state="ready").exists(), what="a heartbeat")
    process.terminate()
    assert process.wait() == 0
    assert not Heartbeat.objects.exists()


def test_one_event_can_be_emitted_without_a_transaction(relay: Start, consume: Start):
    consume()
    relay()
    emit(Told(text="alone"))
    wait_for_notes(["alone"])
