"""The kit in Django's own test cases, with one database and with two, and in coroutines."""

from unittest.mock import patch

from asgiref.sync import sync_to_async
from django.db import connections
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from django.test.testcases import DatabaseOperationForbidden  # type: ignore[attr-defined]

from eventbridge import Consumer, Event, emit
from eventbridge.testing import assert_not_published, assert_published, captured_events, deliver, forget_events
from tests.kit.parts import Ordered, Packed, log, notes, packing, sending
from tests.shop.models import Note

archiving = Consumer("kit.archiving", database="archive")


@archiving.handles(Packed)
def archive(event: Event[Packed]) -> None:
    Note.objects.using("archive").create(text=event.data.item)
    emit(Ordered(number=99), using="archive")


class OneDatabase(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        emit(Packed(item="of the class"))

    def test_the_other_database_is_left_alone(self) -> None:
        emit(Ordered(number=1))
        deliver(packing, sending)
        assert_published(Packed, item="lamp")
        assert notes() == ["packed lamp", "committed lamp", "sent of the class", "sent lamp"]

    def test_what_the_class_prepared_is_there_until_it_is_forgotten(self) -> None:
        assert_published(Packed, item="of the class")
        forget_events()
        assert_not_published()

    def test_every_test_begins_with_what_the_class_prepared(self) -> None:
        assert [event.data for event in captured_events()] == [Packed(item="of the class")]

    def test_a_consumer_of_a_database_that_the_test_may_not_use_fails_it(self) -> None:
        with self.assertRaisesMessage(DatabaseOperationForbidden, "'archive'"):
            deliver(archiving, failures="collect")

    def test_an_outbox_that_the_test_may_not_use_fails_it(self) -> None:
        with self.assertRaisesMessage(DatabaseOperationForbidden, "'archive'"):
            captured_events(using="archive")


class TwoDatabases(TestCase):
    databases = {"default", "archive"}  # noqa: RUF012 - as Django has it

    def test_the_outboxes_of_both_are_captured_and_delivered(self) -> None:
        emit(Packed(item="lamp"))
        settled = deliver(archiving, log)

        assert [(each.consumer, each.event.source) for each in settled] == [
            ("kit.archiving", "/shop"),
            ("kit.log", "/shop"),
            ("kit.log", "/shop/archive"),
        ]
        assert Note.objects.using("archive").get().text == "lamp"
        assert all(connections[alias].in_atomic_block for alias in self.databases)
        assert_published(Ordered, number=99)

    def test_one_of_them_can_be_chosen(self) -> None:
        emit(Packed(item="here"))
        emit(Packed(item="there"), using="archive")

        assert [event.data.item for event in captured_events(Packed)] == ["here", "there"]
        assert [event.data.item for event in captured_events(Packed, using="archive")] == ["there"]
        assert len(deliver(log, using="default")) == 1
        forget_events(using="archive")
        assert [event.data.item for event in captured_events(Packed)] == ["here"]

    def test_a_mirror_is_not_read_twice(self) -> None:
        emit(Packed(item="lamp"), using="archive")
        with patch.dict(connections["archive"].settings_dict["TEST"], MIRROR="default"):
            assert_not_published()


class Committing(TransactionTestCase):
    def test_it_is_the_same(self) -> None:
        emit(Ordered(number=1))
        deliver(packing, sending, log)
        assert_published(Packed, item="lamp")
        assert "sent lamp" in notes()


class WithoutADatabase(SimpleTestCase):
    def test_django_says_how_to_have_one(self) -> None:
        for use in (captured_events, deliver, forget_events, assert_not_published):
            arguments = [log] if use is deliver else []
            with self.assertRaisesMessage(DatabaseOperationForbidden, "databases"):
                use(*arguments)


class InACoroutine(TestCase):
    async def test_deliver_and_assertions_are_called_through_sync_to_async(self) -> None:
        await sync_to_async(emit)(Ordered(number=1))
        settled = await sync_to_async(deliver)(packing, log)

        assert [each.state for each in settled] == ["handled"] * 3
        await sync_to_async(assert_published)(Packed, item="lamp")
        assert await Note.objects.filter(text="log kit.packed.v1 lamp").aexists()
