"""A PostgreSQL: under a second for the first start, 60 ms for each further one."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from zdriver.testing.servers.process import Server, ServerFailed, program
from zdriver.testing.servers.tls import Authority

#: Who owns the databases that `database()` makes: no superuser, as zdriver's will not be one.
USER, PASSWORD = "zdriver", "sesame/&open"


class PostgreSql(Server):
    """A cluster of its own; passwords are asked for over TCP (SCRAM), none on its Unix socket.

    tls      whose certificate it has; it then refuses connections over TCP without TLS
    options  settings of postgresql.conf, like {"fsync": "off"} where a test is not about durability

    PostgreSQL refuses to run as root: then it runs as Debian's user `postgres`.
    """

    name = "postgres"
    #: at once, and unlike SIGKILL it gives the shared memory back
    last_signal = "QUIT"

    def __init__(
        self, folder: Path, *, tls: Authority | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(folder)
        self.tls = tls
        self.options = dict(options or {})
        self.data = folder / "data"

    # -- addresses -----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Of the database `postgres`, as a user without rights in it."""
        return self.url_of("postgres")

    def url_of(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """A database over TCP; it need not be there, and neither need the user."""
        tls = (
            ""
            if self.tls is None
            else f"?sslmode=verify-full&sslrootcert={quote(str(self.tls.file), safe='/')}"
        )
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{login}@127.0.0.1:{self.port}/{quote(database, safe='')}{tls}"

    def admin_url(self, database: str = "postgres") -> str:
        """As superuser, on the Unix socket."""
        socket = f"host={quote(str(self.folder), safe='')}&port={self.port}"
        return f"postgresql://postgres@/{quote(database)}?{socket}"

    def database(self, name: str, *, template: str = "template0") -> str:
        """The URL of a fresh database with that name, a copy of `template`; one that was there is dropped."""
        self.drop(name)
        self.sql(f'CREATE DATABASE "{name}" OWNER {USER} TEMPLATE "{template}"')
        return self.url_of(name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def sql(self, statement: str, *parameters: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as superuser, and commit it; its rows."""
        with psycopg.connect(self.admin_url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    # -- the server ----------------------------------------------------------------------------

    def identity(self) -> Sequence[str]:
        if os.geteuid():
            return ()
        return ("--reuid=postgres", "--regid=postgres", "--clear-groups")

    def command(self) -> Sequence[str]:
        words = [_program("postgres"), "-D", str(self.data), "-p", str(self.port)]
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
        } | self.options
        if self.tls is not None:
            settings |= {"ssl": "on", "ssl_cert_file": "server.pem", "ssl_key_file": "server.key"}
        return [*words, *(word for key, value in settings.items() for word in ("-c", f"{key}={value}"))]

    def stopping(self) -> int:
        return signal.SIGINT  # "fast": it does not wait for its clients to go

    def prepare(self) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._create()

    def _create(self) -> None:
        """initdb(1), a user of its own, and who may come in."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        self._give_away()
        words = [_program("initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust"]
        words += ["--no-sync", "--no-locale", "-E", "UTF8"]
        ran = subprocess.run(
            [program("setpriv", "util-linux"), *self.identity(), "--", *words],
            capture_output=True,
            text=True,
            env=dict(self.environment()),
            cwd="/",
        )
        if ran.returncode:
            raise ServerFailed(f"initdb failed: {ran.stderr.strip()}")
        over_tcp = "host" if self.tls is None else "hostssl"
        rules = self.data / "pg_hba.conf"
        rules.write_text(f"local all all trust\n{over_tcp} all all 127.0.0.1/32 scram-sha-256\n")
        self._add_user()
        if self.tls is not None:
            own = self.tls.certificate(self.folder / "tls")
            shutil.copy2(own.certificate, self.data / "server.pem")
            shutil.copy2(own.key, self.data / "server.key")
        self._give_away()

    def _add_user(self) -> None:
        """In single-user mode: it is there before anybody can connect."""
        words = [_program("postgres"), "--single", "-D", str(self.data), "-c", "fsync=off", "postgres"]
        ran = subprocess.run(
            [program("setpriv", "util-linux"), *self.identity(), "--", *words],
            input=f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'\n",
            capture_output=True,
            text=True,
            env=dict(self.environment()),
            cwd="/",
        )
        if ran.returncode or "ERROR" in ran.stderr:
            raise ServerFailed(f"the user {USER} was not made: {ran.stderr.strip()}")

    def _give_away(self) -> None:
        """All of its folder to the user it runs as. Raises ServerFailed where that user cannot get in."""
        if os.geteuid():
            return
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            raise ServerFailed(
                "there is no user postgres; on Debian: sudo apt-get install postgresql"
            ) from None
        closed = [up for up in self.folder.resolve().parents if not up.stat().st_mode & 0o001]
        if closed:
            raise ServerFailed(
                f"the user postgres cannot enter {closed[0]}; use zdriver.testing.servers.scratch"
            )
        for found in (self.folder, *self.folder.rglob("*")):
            os.chown(found, owner.pw_uid, owner.pw_gid)

    def ready(self) -> bool:
        try:
            with psycopg.connect(self.admin_url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False


def _program(name: str) -> str:
    """Debian has them outside PATH, a folder a version: the newest."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(folders, key=lambda folder: float(folder.parent.name), reverse=True)
    return program(name, "postgresql", *map(str, newest))
