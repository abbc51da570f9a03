"""The bookstore's daemons with the fewest rights: the users of deploy/rabbitmq/definitions.json, AUTO_DECLARE=0, and,
on PostgreSQL, roles that may read and write the tables that they need, and nothing else."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from django.db import connection

from demo_project.bookstore.models import Author, Book
from eventbridge.models import DeadLetter, OutboxEntry
from tests.deploy.conftest import Loaded
from tests.services.mail import MailServer
from tests.services.processes import Process
from tests.services.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]
EMAIL, DELETION = "bookstore.email", "bookstore.deletion"
Start = Callable[..., Process]


@pytest.fixture
def database_url(database_urls: dict[str, str]) -> Callable[[str], str]:
    """The database's URL for a daemon: on PostgreSQL with a role of its own."""
    if connection.vendor != "postgresql":
        return lambda _: database_urls["DATABASE_URL"]
    return lambda name: _as_role(database_urls["DATABASE_URL"], *_role(name))


def _role(name: str) -> tuple[str, str]:
    """A role that may read and write our tables, and a consumer also the bookstore's; its name and password."""
    role, password = f"least_{name.rpartition('.')[2]}", f"{name} may little"
    wanted = ["eventbridge"] if name == "relay" else ["eventbridge", "bookstore"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone():
            cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}' NOSUPERUSER NOCREATEDB NOCREATEROLE")
        for table in connection.introspection.table_names(cursor):
            if table.partition("_")[0] in wanted:
                cursor.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO {role}')
    return role, password


def _as_role(url: str, role: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password)}@{parts.hostname}:{parts.port}"))


@pytest.fixture
def start(loaded: Loaded, daemon: Start, database_url: Callable[[str], str], tmp_path: Path) -> Start:
    """Starts a daemon of this user, and waits until it is ready."""

    def start(user: str, *command: str) -> Process:
        env = {
            "DJANGO_SETTINGS_MODULE": "consumers.settings",
            "BROKER_URL": loaded.options(user).url,
            "DATABASE_URL": database_url(user),
            "AUTO_DECLARE": "0",
            "BOOKSTORE_STATE": str(tmp_path),
        }
        process = daemon("eventbridge", *command, env=env)
        process.wait_for_output("is ready")
        return process

    return start


def test_daemons_with_the_fewest_rights_deliver_retry_give_up_and_stop_in_order(start: Start, mail_server: MailServer):
    processes = [
        start("relay", "relay"),
        start(EMAIL, "consume", "consumers.email"),
        start(DELETION, "consume", "consumers.deletion"),
    ]
    author = Author.objects.create(full_name="Ursula K. Le Guin", short_name="Le Guin", email="ursula@example.org")
    nobody = Author.objects.create(full_name="Nobody", short_name="Nobody")
    mail_server.refuse()
    for number, writer in enumerate((author, nobody)):
        Book.objects.create(title=f"Book {number}", slug=f"book-{number}", author_id=writer.pk).publish()
    letter = wait_for(lambda: DeadLetter.objects.filter(reason="rejected").first(), 20, what="a dead letter")
    assert letter.consumer == EMAIL
    wait_for(lambda: mail_server.attempts, 20, what="a mail that is refused")
    mail_server.accept()
    mail_server.wait_for_messages(1, timeout=20)  # by a rung of the ladder
    author.delete()
    wait_for(lambda: not Book.objects.filter(title="Book 0").exists(), 20, what="the books to be gone")
    wait_for(lambda: not OutboxEntry.objects.exists(), 20, what="the outbox to be empty")
    for process in processes:
        process.terminate()
        assert process.wait() == 0
        assert "denied" not in process.output
