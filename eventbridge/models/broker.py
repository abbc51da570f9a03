"""The embedded broker's tables: queues, their bindings, and a row for each message in a queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db import models, transaction
from django.db.models import Count, Q
from django.db.models.functions import Now

from eventbridge.models import sql


class BrokerQueue(models.Model):
    """A queue. ``ordered``: at most one of its messages is in anybody's hands."""

    name = models.CharField(max_length=200, primary_key=True)
    ordered = models.BooleanField(default=False)

    class Meta:
        db_table = "eventbridge_broker_queue"

    def __str__(self) -> str:
        return self.name


class BrokerBinding(models.Model):
    """Messages whose routing key matches ``pattern`` go to ``queue``."""

    id = models.BigAutoField(primary_key=True)
    queue = models.ForeignKey(BrokerQueue, on_delete=models.CASCADE)
    pattern = models.CharField(max_length=255)

    class Meta:
        db_table = "eventbridge_broker_binding"
        constraints = (models.UniqueConstraint(fields=("queue", "pattern"), name="eventbridge_binding_once"),)

    def __str__(self) -> str:
        return f"{self.pattern} to {self.queue_id}"


class NewMessage(NamedTuple):
    """What ``put`` writes, column by column."""

    queue: str
    routing_key: str
    message_id: str
    type: str
    source: str
    content_type: str
    headers: str
    body: bytes


class Depth(NamedTuple):
    """How many messages a queue holds: to be taken, in a consumer's hands, and not ready yet."""

    name: str
    ready: int
    held: int
    delayed: int


class LeasedMessage(NamedTuple):
    """What ``take`` returns."""

    id: int
    routing_key: str
    message_id: str
    type: str
    source: str
    content_type: str
    headers: str
    body: bytes
    attempt: int
    redelivered: bool


class MessageQuerySet(models.QuerySet["BrokerMessage"]):
    def put(self, messages: Sequence[NewMessage]) -> None:
        """Store messages in this order. All of them or none."""
        sql.insert(self.db, TABLE, messages)

    def ready(self, queue: str) -> MessageQuerySet:
        """What may be taken now."""
        return self.filter(queue=queue, ready_at__lte=Now())

    def depths(self) -> list[Depth]:
        """Every queue that holds something, by name."""
        later, leased = Q(ready_at__gt=Now()), ~Q(lease="")
        columns = self.values("queue").annotate(
            ready=Count("pk", filter=~later),
            held=Count("pk", filter=later & leased),
            delayed=Count("pk", filter=later & ~leased),
        )
        return [Depth(*row) for row in columns.order_by("queue").values_list("queue", "ready", "held", "delayed")]

    def take(self, queue: str, lease: str, seconds: float, limit: int) -> list[LeasedMessage]:
        """Lease the oldest ready messages of a queue. A lease that expired is up for anybody."""
        ready = f"SELECT id FROM {TABLE} WHERE queue = %s AND ready_at <= {sql.now(self.db)} ORDER BY id LIMIT %s"
        statement = (
            f"UPDATE {TABLE} SET redelivered = (lease <> ''), lease = %s, ready_at = {sql.later(self.db)} "
            f"WHERE id {sql.some_of(self.db, ready)} RETURNING {', '.join(LeasedMessage._fields)}"
        )
        found = sql.rows(self.db, statement, [lease, seconds, queue, limit])
        # RETURNING promises no order.
        return sorted(LeasedMessage._make(row) for row in found)

    def take_next(self, queue: str, lease: str, seconds: float) -> list[LeasedMessage]:
        """Lease the oldest message of an ordered queue, if none of that queue is leased."""
        with transaction.atomic(using=self.db):
            BrokerQueue.objects.using(self.db).select_for_update().get(name=queue)
            if self.filter(queue=queue, ready_at__gt=Now()).exclude(lease="").exists():
                return []
            return self.take(queue, lease, seconds, 1)

    def renew(self, lease: str, seconds: float) -> None:
        """Hold everything taken under that lease for so many seconds from now."""
        sql.changed(self.db, f"UPDATE {TABLE} SET ready_at = {sql.later(self.db)} WHERE lease = %s", [seconds, lease])

    def done(self, ids: Sequence[int], lease: str) -> None:
        """Delete messages, unless somebody else holds them by now."""
        test, parameter = sql.one_of(self.db, ids)
        sql.changed(self.db, f"DELETE FROM {TABLE} WHERE id {test} AND lease = %s", [parameter, lease])

    def put_back(self, ids: Sequence[int], lease: str, seconds: float = 0, charge: int = 0) -> None:
        """Make messages ready again in so many seconds, with so many attempts more on their account."""
        test, parameter = sql.one_of(self.db, ids)
        statement = (
            f"UPDATE {TABLE} SET lease = '', ready_at = {sql.later(self.db)}, attempt = attempt + %s "
            f"WHERE id {test} AND lease = %s"
        )
        sql.changed(self.db, statement, [seconds, charge, parameter, lease])


class BrokerMessage(models.Model):
    """One message in one queue. ``ready_at`` is when it may be taken: now, or when its lease ends."""

    id = models.BigAutoField(primary_key=True)
    queue = models.CharField(max_length=200)
    routing_key = models.CharField(max_length=255)
    message_id = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    source = models.CharField(max_length=255)
    content_type = models.CharField(max_length=255)
    headers = models.TextField()
    body = models.BinaryField()
    attempt = models.PositiveIntegerField(db_default=1)
    redelivered = models.BooleanField(db_default=False)
    lease = models.CharField(max_length=64, db_default="")
    ready_at = models.DateTimeField(db_default=Now())

    objects = MessageQuerySet.as_manager()

    class Meta:
        db_table = "eventbridge_broker_message"
        indexes = (
            models.Index(fields=("queue", "id"), name="eventbridge_message_queue"),
            models.Index(fields=("lease",), name="eventbridge_message_leased", condition=~models.Q(lease="")),
        )

    def __str__(self) -> str:
        return f"{self.queue} {self.message_id}"


TABLE = BrokerMessage._meta.db_table
