"""A producer: business transactions, one after the other, until it is killed.

Every event's id is noted before its transaction can commit; that it did, only the Ledger says.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Sequence

import django
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import F

from eventbridge import Event, emit, emit_many
from tests.chaos.contracts import Happened, Unwanted
from tests.chaos.misdeeds import UNWANTED, misdeed
from tests.chaos.notes import note


class Rollback(Exception):
    """The business changed its mind."""


class Producer:
    """Its choices are its seed's; what comes of them is the database's."""

    def __init__(self, name: str) -> None:
        self.seed = os.environ["CHAOS_SEED"]
        self.keys = int(os.environ["CHAOS_KEYS"])
        self.pause = float(os.environ["CHAOS_PAUSE"])
        self.chance = random.Random(f"{self.seed}/{name}/{os.environ['CHAOS_INCARNATION']}")
        self.deeds: list[Callable[[str], None]] = [
            *[self.one] * 10, *[self.several] * 3, *[self.many] * 2,
            *[self.roll_back] * 2, *[self.roll_back_a_part] * 2, *[self.commit_late] * 2,
        ]  # fmt: skip

    def run(self) -> None:
        while True:
            deed, key = self.chance.choice(self.deeds), f"k{self.chance.randrange(self.keys)}"
            note("outcomes", self.attempt(deed, key))
            time.sleep(self.chance.expovariate(1 / self.pause))

    def attempt(self, deed: Callable[[str], None], key: str) -> str:
        """One transaction; what became of it, as far as this process can know."""
        finished = False
        try:
            with transaction.atomic():
                deed(key)
                finished = True
        except Rollback:
            return "rolled back"
        except (DatabaseError, InterfaceError):
            connection.close()
            return "in doubt" if finished else "broken off"
        return "committed"

    # --- what a transaction may do ---

    def one(self, key: str) -> None:
        self.record([emit(data) for data in self.next(key, 1)])

    def several(self, key: str) -> None:
        self.record([emit(data) for data in self.next(key, 3)])

    def many(self, key: str) -> None:
        self.record(emit_many(self.next(key, self.chance.randint(4, 12))))

    def roll_back(self, key: str) -> None:
        self.several(key)
        raise Rollback

    def roll_back_a_part(self, key: str) -> None:
        self.one(key)
        try:
            with transaction.atomic():
                self.several(key)
                raise Rollback
        except Rollback:
            self.one(key)

    def commit_late(self, key: str) -> None:
        self.several(key)
        time.sleep(self.chance.uniform(0.05, 0.6))

    # --- how ---

    def next(self, key: str, count: int) -> list[Happened | Unwanted]:
        """The next events of that subject, whose row is locked from here on."""
        from tests.chaos.models import Counter

        Counter.objects.filter(key=key).update(n=F("n") + count)
        last = Counter.objects.get(key=key).n
        return [self.happened(key, n) for n in range(last - count + 1, last + 1)]

    def happened(self, key: str, n: int) -> Happened | Unwanted:
        does, to = misdeed(self.seed, key, n)
        if does == UNWANTED:
            return Unwanted(key=key, n=n)
        return Happened(key=key, n=n, does=does, to=to)

    def record(self, events: Sequence[Event[Happened | Unwanted]]) -> None:
        """Note them as attempted, then write them into the Ledger."""
        from tests.chaos.models import Ledger

        note("attempted", "\n".join(event.id for event in events))
        rows = [
            Ledger(event_id=e.id, key=e.data.key, n=e.data.n, does=e.data.does, to=e.data.to)
            for e in events
        ]  # fmt: skip
        Ledger.objects.bulk_create(rows)


if __name__ == "__main__":
    django.setup()
    Producer(sys.argv[1]).run()
