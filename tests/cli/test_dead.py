"""eventbridge dead: what is listed, told, replayed and discarded, and what is refused."""

import json
import re
import shlex
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management.base import CommandError
from django.db import connections
from django.db.models.functions import Now

from eventbridge.models import DeadLetter, Heartbeat

pytestmark = pytest.mark.django_db(databases=["default", "archive"])

Bury = Callable[..., DeadLetter]
NASTY = "\x1b[31mred\x1b[0m \x07 \u202egnp.exe \x9b2J \x00"


def test_no_dead_letters_are_said_in_words(run):
    assert run("dead", "list").out == "There are no dead letters.\n"
    assert run("dead", "list", "--each").out == "There are no dead letters.\n"
    assert json.loads(run("dead", "list", "--json").out) == []


def test_the_list_names_the_consumer_the_type_and_why(run, bury: Bury):
    letter = bury(TimeoutError("the mail server did not answer"))
    out = run("dead", "list", "--each").out
    assert f"{letter.pk}" in out
    assert "shop.mail" in out
    assert "shop.order.saved.v1" in out
    assert "TimeoutError: the mail server did not answer" in out


def test_the_latest_come_first_and_a_limit_says_how_many_are_left(run, bury: Bury):
    letters = [bury() for _ in range(5)]
    shown = json.loads(run("dead", "list", "--json", "--limit", "2").out)
    assert [item["id"] for item in shown] == [letters[4].pk, letters[3].pk]
    assert "3 more" in run("dead", "list", "--each", "--limit", "2").out


@pytest.mark.parametrize(
    "option",
    [("--consumer", "shop.search"), ("--type", "shop.order.deleted.v1"), ("--exception", "KeyError")],
)
def test_each_filter_leaves_what_it_names(run, bury: Bury, option):
    bury()
    wanted = bury(KeyError("x"), consumer="shop.search", type="shop.order.deleted.v1")
    assert [item["id"] for item in json.loads(run("dead", "list", "--json", *option).out)] == [wanted.pk]


@pytest.mark.parametrize(
    ("options", "ages"),
    [
        (("--since", "2h"), [0, 1]),
        (("--before", "90min"), [2, 24]),
        (("--since", "2d", "--before", "90 min"), [2, 24]),
        (("--since", "3h", "--before", "3600s"), [1, 2]),
        (("--before", "2001-01-01"), []),
    ],
)
def test_letters_are_chosen_by_when_they_died(run, bury: Bury, options, ages):
    for hours in (0, 1, 2, 24):
        DeadLetter.objects.filter(pk=bury().pk).update(died_at=Now() - timedelta(hours=hours), attempts=hours)
    listed = json.loads(run("dead", "list", "--json", *options).out)
    assert sorted(item["attempts"] for item in listed) == ages
    run("dead", "discard", *options)
    assert sorted(DeadLetter.objects.values_list("attempts", flat=True)) == sorted({0, 1, 2, 24} - set(ages))


def test_a_time_without_a_zone_is_one_in_the_projects_own(run, bury: Bury, settings):
    settings.TIME_ZONE = "America/New_York"
    DeadLetter.objects.filter(pk=bury().pk).update(died_at=datetime(2026, 11, 23, 14, 30, tzinfo=UTC))
    for since, found in (("2026-11-23T09:30", 1), ("2026-11-23 09:31", 0), ("2026-11-23T14:31Z", 0)):
        assert len(json.loads(run("dead", "list", "--json", "--since", since).out)) == found
    assert len(json.loads(run("dead", "list", "--json", "--before", "2026-11-23T15:31+01:00").out)) == 1


@pytest.mark.parametrize("time", ["yesterday", "2", "2m", "-2h", "1e3s", "2026-13-01", "999999w", ""])
def test_what_is_no_time_is_refused(run, time):
    with pytest.raises(CommandError, match="is not a time such as 2026-11-23T14:00, or an age such as 30min, 2h or 5d"):
        run("dead", "list", f"--since={time}")


def test_an_exception_is_found_by_its_short_name_and_by_its_whole_one(run, bury: Bury):
    bury(json.JSONDecodeError("bad", "", 0))
    for name in ("JSONDecodeError", "json.decoder.JSONDecodeError"):
        assert len(json.loads(run("dead", "list", "--json", "--exception", name).out)) == 1
    assert json.loads(run("dead", "list", "--json", "--exception", "Error").out) == []


@pytest.mark.parametrize("how", [("--each",), ()], ids=["letters", "groups"])
def test_that_none_matches_is_not_that_there_are_none(run, bury: Bury, how):
    wanted = ("dead", "list", "--exception", "KeyError", *how)
    assert run(*wanted).out == "There are no dead letters.\n"
    bury()
    assert run(*wanted).out == "No dead letter matches. Without these options there is 1.\n"
    bury()
    assert run(*wanted).out == "No dead letter matches. Without these options there are 2.\n"


def test_groups_count_what_died_of_the_same(run, bury: Bury):
    for _ in range(3):
        bury(TimeoutError("slow"))
    bury(KeyError("x"))
    groups = json.loads(run("dead", "list", "--group", "--json").out)
    assert [(group["count"], group["exception"]) for group in groups] == [(3, "TimeoutError"), (1, "KeyError")]
    assert "TimeoutError (every attempt failed)" in run("dead", "list").out
    assert run("dead", "list").out == run("dead", "list", "--group").out


def commands_in(out: str) -> list[list[str]]:
    """What the list says to type, as a shell takes it apart; without the program."""
    lines = [line.strip() for line in out.splitlines() if "manage.py eventbridge" in line]
    return [shlex.split(line.removeprefix("manage.py eventbridge ")) for line in lines]


def test_the_command_that_comes_with_a_group_replays_that_and_nothing_else(run, bury: Bury):
    """Also groups that differ by the reason alone, or have no type; also with names that a shell would take apart."""
    wanted = [bury(KeyError("x"), reason="rejected", consumer="shop's mail", type="") for _ in range(2)]
    bury(KeyError("x"), consumer="shop's mail", type="")
    bury(KeyError("x"), reason="rejected", consumer="shop's mail")
    bury(ValueError("x"), reason="rejected", consumer="shop's mail", type="")
    bury(KeyError("x"), reason="rejected")
    first, *others = commands_in(run("dead", "list").out)
    assert len(others) == 4
    run(*first, "--yes")
    assert list(DeadLetter.objects.exclude(replay_at=None).order_by("pk")) == wanted
    assert len(commands_in(run("dead", "list").out)) == 4, "what is marked needs no command"


@pytest.mark.parametrize("times", [("--since", "90min"), ("--before", "2001-01-01T10:00"), ("--since", "2001-01-01")])
def test_the_command_of_a_group_has_the_times_that_were_asked_for(run, bury: Bury, times):
    old = datetime(2001, 1, 1, 9, tzinfo=UTC)
    letters = [bury(), bury(), bury()]
    DeadLetter.objects.filter(pk=letters[0].pk).update(died_at=old)
    found = len(json.loads(run("dead", "list", "--json", *times).out))
    [command] = commands_in(run("dead", "list", *times).out)
    run(*command, "--yes")
    assert DeadLetter.objects.exclude(replay_at=None).count() == found > 0


def test_the_command_of_a_group_names_its_database(run, bury: Bury):
    bury(using="archive")
    [command] = commands_in(run("dead", "list", "--database", "archive").out)
    run(*command)
    assert DeadLetter.objects.using("archive").get().replay_at is not None


def test_there_may_be_more_groups_than_are_shown(run, bury: Bury):
    bury(KeyError("x")), bury(ValueError("x"))
    out = run("dead", "list", "--limit", "1").out
    assert len(commands_in(out)) == 1
    assert "… and perhaps more: --limit." in out
    assert "--limit" not in run("dead", "list").out


@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_what_was_rejected_is_told_from_what_failed_in_every_attempt(run, bury: Bury, verb):
    failed, rejected = bury(), bury(reason="rejected")
    assert [item["id"] for item in json.loads(run("dead", "list", "--json", "--reason", "failed").out)] == [failed.pk]
    run("dead", verb, "--reason", "rejected")
    untouched = DeadLetter.objects.filter(replay_at=None)
    assert list(untouched) == [failed]
    assert DeadLetter.objects.filter(pk=rejected.pk).exists() == (verb == "replay")


def test_a_reason_that_there_is_not_is_refused(run):
    with pytest.raises(CommandError, match="invalid choice: 'bored'"):
        run("dead", "list", "--reason", "bored")


def test_in_a_terminal_of_80_columns_no_line_is_longer(run, bury: Bury, at_a_terminal):
    bury(ValueError("x" * 300), consumer="a.consumer.with." + "a" * 80, type="a.type.with." + "t" * 80)
    for arguments in (("dead", "list"), ("dead", "list", "--each")):
        lines = run(*arguments, "--no-color", terminal=True).out.splitlines()
        assert all(len(line) <= 80 for line in lines if "manage.py" not in line), "but a command is whole"
    assert "x" * 300 in run("dead", "list", "--each").out


def test_the_story_has_the_error_the_traceback_the_headers_and_the_body_made_readable(run, bury: Bury):
    letter = bury(ValueError("no stock"), body=b'{"data":{"price":1.10,"title":"Gr\xc3\xbctze"}}', traceparent="00-ab")
    out = run("dead", "show", str(letter.pk)).out
    assert "every attempt failed" in out
    assert "no stock" in out
    assert "ValueError: no stock" in out
    assert "traceparent: 00-ab" in out
    assert '      "price": 1.10,\n      "title": "Grütze"\n' in out
    assert f"manage.py eventbridge dead replay {letter.pk}\n" in out


def test_a_body_that_is_no_json_is_shown_spelled_out(run, bury: Bury):
    letter = bury(body=b"\xff\x00 caf\xc3\xa9 \x1b[2J", reason="malformed")
    assert "\\xff\\x00 café \\x1b[2J" in run("dead", "show", str(letter.pk)).out


@pytest.mark.parametrize("body", [NASTY.encode(), json.dumps({"a": NASTY}, ensure_ascii=False).encode(), b"[" * 9999])
def test_nothing_of_a_message_reaches_the_terminal_unescaped(run, bury: Bury, body):
    letter = bury(ValueError(NASTY), body=body, consumer=f"c{NASTY[:-1]}", type=f"t{NASTY[:-1]}", **{NASTY: NASTY})
    DeadLetter.objects.update(exception=NASTY[:-1], traceback=NASTY[:-1])
    answers = [
        run("dead", "show", str(letter.pk)),
        run("dead", "list"),
        run("dead", "list", "--each"),
        run("dead", "show", str(letter.pk), "--json"),
        run("status"),
        run("dead", "replay", str(letter.pk)),
    ]
    for answer in answers:
        said = answer.out + answer.err
        assert not {character for character in said if not character.isprintable()} - {"\n"}
        assert "\u202e" not in said


def test_json_holds_the_body_byte_by_byte(run, bury: Bury):
    text, binary = bury(body=b'{"a": 1}'), bury(body=b"\xff")
    assert json.loads(run("dead", "show", str(text.pk), "--json").out)["body"] == '{"a": 1}'
    told = json.loads(run("dead", "show", str(binary.pk), "--json").out)
    assert told["body"] is None
    assert told["body_base64"] == "/w=="


def test_a_letter_that_is_not_there_is_named(run):
    with pytest.raises(CommandError, match="There is no dead letter 17 in database 'default'"):
        run("dead", "show", "17")


def test_replay_marks_and_says_when_nobody_is_there_to_take_it_up(run, bury: Bury):
    letter = bury()
    answer = run("dead", "replay", str(letter.pk))
    letter.refresh_from_db()
    assert letter.replay_at is not None
    assert letter.replays == 1
    assert answer.out == "1 dead letter marked for replay.\n"
    assert "No process of consumer shop.mail is running" in answer.err


def test_replay_is_quiet_about_consumers_that_run(run, bury: Bury):
    Heartbeat.objects.beat("host:1", "consumer", "shop.mail", "ready", {})
    assert run("dead", "replay", str(bury().pk)).err == ""


def test_replay_takes_a_filter_and_a_limit_the_oldest_first(run, bury: Bury):
    letters = [bury() for _ in range(3)]
    bury(consumer="shop.search")
    run("dead", "replay", "--consumer", "shop.mail", "--limit", "2")
    replaying = DeadLetter.objects.exclude(replay_at=None).order_by("pk")
    assert [letter.pk for letter in replaying] == [letter.pk for letter in letters[:2]]


def test_a_thousand_are_marked_in_chunks_with_progress_on_a_terminal(run, bury: Bury, at_a_terminal):
    bury()
    template = DeadLetter.objects.get()
    copies = [DeadLetter(consumer="shop.mail", fingerprint=str(n), body=b"", reason="failed") for n in range(1_200)]
    DeadLetter.objects.bulk_create(copies)
    template.delete()
    answer = run("dead", "replay", "--all", "--yes", terminal=True)
    assert "1,200 dead letters marked for replay" in answer.out
    assert "marking: 500 of 1,200" in answer.err
    assert DeadLetter.objects.filter(replay_at=None).count() == 0


def test_a_rate_marks_so_many_a_second_and_shows_how_far_it_is(run, bury: Bury, at_a_terminal):
    for _ in range(5):
        bury()
    began = time.monotonic()
    answer = run("dead", "replay", "--all", "--yes", "--rate", "2", terminal=True)
    assert 2 <= time.monotonic() - began < 8
    assert re.findall(r"marking: (\d) of 5", answer.err) == ["2", "4", "5"]
    assert "5 dead letters marked for replay" in answer.out
    moments = sorted(DeadLetter.objects.values_list("replay_at", flat=True))
    assert all(later - first >= timedelta(seconds=0.99) for first, later in zip(moments, moments[2:], strict=False))


def test_what_is_marked_already_is_left_alone_and_said(run, bury: Bury):
    letter = bury()
    run("dead", "replay", str(letter.pk))
    said = run("dead", "replay", str(letter.pk)).out
    assert "1 of them: marked for replay, or in a consumer's hands, already" in said
    letter.refresh_from_db()
    assert letter.replays == 1


def test_letters_that_wait_for_a_replay_are_told_from_those_in_a_consumers_hands(run, bury: Bury):
    in_hand, waiting, _ = bury(), bury(), bury()
    DeadLetter.objects.filter(pk=in_hand.pk).replay()
    DeadLetter.objects.take("shop.mail", "lease", 30, 1)
    DeadLetter.objects.filter(pk=waiting.pk).replay()
    out = run("dead", "list", "--each").out
    assert out.count("    in a consumer's hands; ValueError") == 1
    assert out.count("    marked for replay; ValueError") == 1
    assert "in a consumer's hands\n" in run("dead", "show", str(in_hand.pk)).out
    assert "marked for replay\n" in run("dead", "show", str(waiting.pk)).out
    states = [item["replay"] for item in json.loads(run("dead", "list", "--json").out)]
    assert states == ["", "marked for replay", "in a consumer's hands"]
    [group] = json.loads(run("dead", "list", "--group", "--json").out)
    assert (group["count"], group["marked"], group["in_hand"]) == (3, 1, 1)
    assert run("dead", "list", "--group").out.split()[:4] == ["COUNT", "MARKED", "IN", "HAND"]


@pytest.mark.parametrize(("times", "said"), [(1, "replayed once, failed again"), (2, "replayed 2 times, failed again")])
def test_a_letter_that_was_replayed_and_failed_again_says_so(run, bury: Bury, times, said):
    letter, _ = bury(), bury()
    assert "failed again" not in run("dead", "list", "--each").out
    for _ in range(times):
        DeadLetter.objects.filter(pk=letter.pk).replay()
        assert "failed again" not in run("dead", "list", "--each").out
        DeadLetter.objects.bury(DeadLetter.objects.get(pk=letter.pk))
        DeadLetter.objects.filter(pk=letter.pk).update(replay_at=None)
    assert run("dead", "list", "--each").out.count(f"    {said}; ValueError") == 1
    assert f"{said}\n" in run("dead", "show", str(letter.pk)).out
    assert json.loads(run("dead", "show", str(letter.pk), "--json").out)["replay"] == said


def test_what_a_vanished_consumer_had_in_its_hands_waits_again(run, bury: Bury):
    letter = bury()
    DeadLetter.objects.replay()
    DeadLetter.objects.take("shop.mail", "lease", -1, 1)
    assert "marked for replay\n" in run("dead", "show", str(letter.pk)).out


@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_a_dry_run_changes_nothing(run, bury: Bury, verb):
    letter = bury()
    assert run("dead", verb, "--all", "--dry-run").out == f"Would {verb} 1 dead letter: {letter.pk}.\n"
    assert DeadLetter.objects.get().replay_at is None


@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_one_unknown_id_stops_everything(run, bury: Bury, verb):
    letter = bury()
    with pytest.raises(CommandError, match=r"no dead letter 999998, 999999 in .*Nothing was done"):
        run("dead", verb, str(letter.pk), "999999", "999998")
    assert DeadLetter.objects.get().replay_at is None


@pytest.mark.parametrize("number", ["0", "-3", "x", str(2**63)])
@pytest.mark.parametrize("arguments", [("show",), ("replay",), ("list", "--limit")], ids=" ".join)
def test_what_is_no_number_is_refused(run, arguments, number):
    with pytest.raises(CommandError, match=r"is not a number from 1 on|unrecognized arguments|expected one argument"):
        run("dead", *arguments, number)


@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_nothing_named_is_not_everything(run, bury: Bury, verb):
    bury()
    with pytest.raises(CommandError, match="Say which dead letters"):
        run("dead", verb)
    assert DeadLetter.objects.get().replay_at is None


def test_discard_deletes_for_good_what_it_names(run, bury: Bury):
    gone, kept = bury(), bury()
    assert run("dead", "discard", str(gone.pk)).out == "1 dead letter discarded.\n"
    assert DeadLetter.objects.get() == kept


def test_discard_leaves_what_a_consumer_has_in_its_hands(run, bury: Bury):
    letter = bury()
    DeadLetter.objects.replay()
    DeadLetter.objects.take("shop.mail", "lease", 30, 1)
    assert "1 of them: in a consumer's hands, and left alone." in run("dead", "discard", str(letter.pk)).out
    assert DeadLetter.objects.exists()


def test_discard_takes_what_was_marked_for_a_consumer_that_is_no_more(run, bury: Bury):
    letter = bury()
    DeadLetter.objects.replay()
    run("dead", "discard", str(letter.pk))
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
def test_at_a_terminal_more_than_one_is_asked_about(run, bury: Bury, at_a_terminal, answer):
    bury(), bury()
    at_a_terminal(answer)
    assert "Discard 2 dead letters? [y/N]" in run("dead", "discard", "--all", terminal=True).err
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_whoever_does_not_agree_loses_nothing(run, bury: Bury, at_a_terminal, answer):
    bury(), bury()
    at_a_terminal(answer)
    with pytest.raises(CommandError, match="Nothing was done"):
        run("dead", "discard", "--all", terminal=True)
    assert DeadLetter.objects.count() == 2


def test_one_letter_is_not_asked_about_nor_is_a_script(run, bury: Bury, at_a_terminal):
    run("dead", "discard", str(bury().pk), terminal=True)
    bury(), bury()
    run("dead", "discard", "--all")
    assert not DeadLetter.objects.exists()


def test_letters_of_another_database_are_found_by_its_alias(run, bury: Bury):
    letter = bury(using="archive")
    assert run("dead", "list").out == "There are no dead letters.\n"
    assert (
        f"dead replay {letter.pk} --database archive"
        in run("dead", "show", str(letter.pk), "--database", "archive").out
    )
    run("dead", "replay", str(letter.pk), "--database", "archive")
    assert DeadLetter.objects.using("archive").get().replay_at is not None


@pytest.mark.django_db(transaction=True)
def test_wait_reports_what_was_handled_and_what_died_again(run, bury: Bury):
    handled, again = bury(), bury()

    def consume() -> None:
        while DeadLetter.objects.filter(replay_at__lte=Now()).count() < 2:
            time.sleep(0.05)
        DeadLetter.objects.filter(pk=handled.pk).delete()
        DeadLetter.objects.filter(pk=again.pk).update(replay_at=None)
        connections.close_all()

    consumer = threading.Thread(target=consume)
    consumer.start()
    answer = run("dead", "replay", str(handled.pk), str(again.pk), "--wait")
    consumer.join()
    assert "1 handled, 1 is dead again." in answer.out
    assert answer.code == 1
