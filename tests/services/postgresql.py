"""A PostgreSQL to test against: given by its URL, private, in a container, or installed first."""

import os
import pwd
import secrets
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from tests.services.choice import choose
from tests.services.containers import ContainerHost, have_image
from tests.services.debian import install
from tests.services.hosts import Elsewhere, Host, NotAvailable, PrivateProcess, free_port
from tests.services.secrecy import SECRECY
from tests.services.waiting import wait_for

URL_VARIABLE = "EVENTBRIDGE_TEST_DATABASE_URL"
USER = "eventbridge"


class PostgreSQL:
    """A running PostgreSQL, and what tests do to it. Its user may create databases."""

    def __init__(self, host: Host, url: str) -> None:
        SECRECY.keep_those_of(url)
        self.host = host
        self.url = url
        self.name = "PostgreSQL"

    @property
    def how(self) -> str:
        return self.host.how

    @property
    def version(self) -> str:
        return str(self.ask("SHOW server_version")).split()[0]

    @property
    def settings(self) -> dict[str, str]:
        """Where it is, in the words of Django's DATABASES."""
        parts = urlsplit(self.url)
        return {
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or 5432),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
        }

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.host.start()
        wait_for(self.serves, timeout=60, every=0.05, what="PostgreSQL to serve")

    def stop(self) -> None:
        """A fast shutdown: clients are disconnected, transactions rolled back."""
        self.host.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """As a power cut would."""
        self.host.kill()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing is answered. `resume` ends that."""
        self.host.pause()

    def resume(self) -> None:
        self.host.resume()

    def close(self) -> None:
        self.host.close()

    def serves(self) -> bool:
        import psycopg

        with suppress(psycopg.OperationalError):
            return self.ask("SELECT true") is True
        return False

    def close_connections(self, database: str | None = None) -> int:
        """Close clients' connections from the server's side, all or those to one database; how many."""
        closed = self.ask(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND coalesce(datname = %s, true)",
            database,
        )
        return int(str(closed))

    def ask(self, statement: str, *parameters: object) -> object:
        """The first value of the statement's result, by a connection of its own."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True, connect_timeout=2) as connection:
            row = connection.execute(statement, parameters).fetchone()
        return row[0] if row else None


def postgresql() -> PostgreSQL:
    """The first PostgreSQL to be had; NotAvailable, with every way's reason, if there is none."""
    url = os.environ.get(URL_VARIABLE)
    if url:
        return _given(url)
    ways = {"private": _private, "docker": _in_container, "install": _installed}
    return choose(ways, forced_by="EVENTBRIDGE_TEST_POSTGRESQL")


def secure_postgresql(certificates: Path) -> PostgreSQL:
    """A private one that takes clients by TLS alone, with server.pem and server.key of that folder."""
    return _private(certificates)


def _given(url: str) -> PostgreSQL:
    server = PostgreSQL(Elsewhere(URL_VARIABLE), url)
    if not server.serves():
        raise NotAvailable(f"nothing serves at {URL_VARIABLE}")
    return server


def _private(certificates: Path | None = None) -> PostgreSQL:
    programs = _programs()
    password, port = secrets.token_urlsafe(12), free_port()
    host = PrivateProcess("postgresql", owner=_owner())
    try:
        _create_cluster(host, programs, password)
        host.command = _server_command(host.folder, programs, port)
        if certificates:
            _secure(host, certificates)
        host.stop_signal = signal.SIGINT
        host.start()
        server = PostgreSQL(host, f"postgresql://{USER}:{quote(password)}@127.0.0.1:{port}/postgres")
        host.ready(server.serves)
    except BaseException:
        host.close()
        raise
    return server


def _programs() -> Path:
    """The folder of initdb and postgres, of the newest version installed."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: float(path.parts[-3])).parent
    on_path = shutil.which("initdb")
    if on_path and Path(on_path).resolve().with_name("postgres").exists():
        return Path(on_path).resolve().parent
    raise NotAvailable("PostgreSQL's initdb and postgres are not installed")


def _owner() -> str | None:
    """Root may not run PostgreSQL: an unprivileged user does."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise NotAvailable("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def _create_cluster(host: PrivateProcess, programs: Path, password: str) -> None:
    secret = host.folder / "password"
    secret.write_text(password)
    if host.owner:
        shutil.chown(secret, host.owner)
    host.env = {"PATH": os.environ["PATH"], "HOME": str(host.folder), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    host.run(
        *(str(programs / "initdb"), "--pgdata", "data", "--username", USER, "--pwfile", str(secret)),
        *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
    )


def _secure(host: PrivateProcess, certificates: Path) -> None:
    """Under the names that PostgreSQL looks for. It takes no key that others may read."""
    data = host.folder / "data"
    for name, source in {"server.crt": "server.pem", "server.key": "server.key"}.items():
        shutil.copyfile(certificates / source, data / name)
        (data / name).chmod(0o600)
        if host.owner:
            shutil.chown(data / name, host.owner)
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    host.command = [*host.command, "-c", "ssl=on"]


def _server_command(folder: Path, programs: Path, port: int) -> list[str]:
    """Loopback only. Tests kill processes, not machines: fsync would only be slow (on by the variable)."""
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "fsync": os.environ.get("EVENTBRIDGE_TEST_POSTGRESQL_FSYNC", "off"),
    }
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return [str(programs / "postgres"), "-D", str(folder / "data"), *arguments]


def _in_container() -> PostgreSQL:
    image = os.environ.get("EVENTBRIDGE_TEST_POSTGRESQL_IMAGE", "postgres:17")
    have_image(image)
    from testcontainers.community.postgres import PostgresContainer

    port, password = free_port(), secrets.token_urlsafe(12)
    container = PostgresContainer(image, username=USER, password=password, dbname="postgres")
    container.with_bind_ports(5432, port)
    host = ContainerHost(container, image)
    host.launch()
    address = container.get_container_host_ip()
    server = PostgreSQL(host, f"postgresql://{USER}:{quote(password)}@{address}:{port}/postgres")
    wait_for(server.serves, timeout=60, every=0.1, what="PostgreSQL to serve")
    return server


def _installed() -> PostgreSQL:
    install("postgresql")
    server = _private()
    server.host.how = "private server, installed with apt-get"
    return server


__all__ = ["NotAvailable", "PostgreSQL", "postgresql", "secure_postgresql"]
