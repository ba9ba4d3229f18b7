"""What restoring has to remember, in the store: servers seen, restores made, offers declined."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import msgspec

from zdriver.context.model import PanePlan
from zdriver.core import platform
from zdriver.core.errors import Conflict, ZdriverError
from zdriver.core.ids import new_id
from zdriver.storage.port import Reading, Row, Store, Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")


class SeenServer(msgspec.Struct, frozen=True, kw_only=True):
    """One Zellij server process that zdriver was attached to."""

    key: str  #: boot id, pid and start time
    name: str  #: of its Zellij session
    pid: int
    root: str  #: absolute path of the root it was opened in
    opened_at: int  #: µs
    decided: bool  #: what to do at its opening was settled
    ended_at: int | None = None  #: µs; None: alive, or it ended while no daemon watched
    crashed: bool = False

    @property
    def is_of_this_boot(self) -> bool:
        return self.key.partition("/")[0] == platform.boot_id()


class MadePane(msgspec.Struct, frozen=True, kw_only=True):
    """One pane that a restore made."""

    terminal: int  #: Zellij's terminal id in the session restored into
    plan: PanePlan


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """One restore that was not undone."""

    id: str
    source: str  #: Zellij session of the snapshot
    generation: int
    panes: tuple[MadePane, ...]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """The newest generation of one Zellij session."""

    zellij_session: str
    generation: int


def server_key(pid: int) -> str:
    """Names one process for ever; "" when it is gone."""
    found = platform.process(pid)
    return f"{platform.boot_id()}/{pid}/{found.started}" if found else ""


def is_running(server: SeenServer) -> bool:
    return server_key(server.pid) == server.key


class Ledger:
    def __init__(self, store: Store, *, host: str) -> None:
        self._store = store
        self._host = host

    def opened(self, key: str, *, name: str, pid: int, root: str) -> SeenServer:
        """The server of that key, noted down when it is new."""

        def unit(tx: Transaction) -> SeenServer:
            row = tx.one("restore.server", key=key)
            if row is None:
                tx.run(
                    "restore.server_opened",
                    key=key,
                    host=self._host,
                    name=name,
                    pid=pid,
                    root=root,
                    at=tx.now(),
                )
            found = tx.one("restore.server", key=key)
            assert found is not None
            return _server(found)

        return self._store.write(unit, lock=[f"zellij:{key}"])

    def name_of(self, key: str) -> str:
        """The Zellij session of the server of that key, as it was noted last; "" for a new one."""
        row = self._store.read(lambda tx: tx.one("restore.server", key=key))
        return "" if row is None else str(row["name"])

    def renamed(self, key: str, name: str) -> None:
        self._store.write(
            lambda tx: tx.run("restore.server_renamed", key=key, name=name), lock=[f"zellij:{key}"]
        )

    def decided(self, key: str) -> None:
        self._store.write(lambda tx: tx.run("restore.server_decided", key=key))

    def ended(self, key: str, *, crashed: bool) -> None:
        self._store.write(
            lambda tx: tx.run("restore.server_ended", key=key, crashed=int(crashed), at=tx.now())
        )

    def open_servers(self) -> list[SeenServer]:
        """Those whose end nobody has noted yet."""
        return [_server(row) for row in self._read_all("restore.servers_open", host=self._host)]

    def last_servers(self, *, beside: str = "") -> dict[str, SeenServer]:
        """The newest server of each Zellij session name, the one of key `beside` not counted."""
        rows = self._read_all("restore.servers_last", host=self._host, beside=beside)
        return {row["name"]: _server(row) for row in rows}

    def candidates(self, *, root: str, name: str) -> list[Candidate]:
        """Zellij sessions with a snapshot of this root or this name, the newest first."""
        rows = self._read_all("restore.candidates", host=self._host, root=root, name=name)
        return [Candidate(zellij_session=row["zellij_session"], generation=row["generation"]) for row in rows]

    def carried_on(self) -> dict[str, int]:
        """Zellij session → its newest generation that lives on in another session."""
        rows = self._read_all("restore.carried_on", host=self._host)
        return {row["source"]: row["generation"] for row in rows}

    def add_restore(
        self,
        *,
        server: str,
        source: str,
        generation: int,
        root: str,
        panes: tuple[MadePane, ...],
        failed: int,
    ) -> str:
        """Note a restore; its id."""
        id_ = new_id()
        text = msgspec.json.encode(panes).decode()
        restored = len(panes)
        self._store.write(
            lambda tx: tx.run(
                "restore.restored",
                id=id_,
                host=self._host,
                server=server,
                source=source,
                generation=generation,
                root=root,
                panes=text,
                restored=restored,
                failed=failed,
                at=tx.now(),
            )
        )
        return id_

    def restores(self, server: str) -> list[Restored]:
        """Those into one server's session that were not undone, the newest first."""
        return [
            Restored(
                id=row["id"],
                source=row["source"],
                generation=row["generation"],
                panes=msgspec.json.decode(row["panes"], type=tuple[MadePane, ...]),
            )
            for row in self._read_all("restore.of_server", server=server)
        ]

    def undone(self, id_: str) -> None:
        self._store.write(lambda tx: tx.run("restore.undone", id=id_, at=tx.now()))

    def once(self, request: str, digest: str, kind: type[T], do: Callable[[], T]) -> T:
        """`do`, unless that request was answered already: then its first answer.

        For what is done in Zellij, and so in no transaction; whoever calls sees to it that one
        request is not done twice at the same time. Raises Conflict when the request was another
        one (`digest`), and what `do` raises, which is not kept. A daemon that is killed between
        doing and keeping does it again.
        """
        if not request:
            return do()
        row = self._store.read(lambda tx: tx.one("request.find", key=request))
        if row is not None:
            if row["digest"] != digest:
                raise Conflict(
                    "this request id was used for something else", hint="give every request an id of its own"
                )
            return msgspec.json.decode(row["result"], type=kind)
        answer = do()
        try:
            self._store.write(lambda _tx: answer, request=request, digest=digest, result=kind)
        except ZdriverError as error:  # what was done is done, and has to be told
            log.warning("the answer to request %s is not kept: %s", request, error)
        return answer

    def dismiss(self, generation: int) -> None:
        self._store.write(
            lambda tx: tx.run("restore.dismiss", host=self._host, generation=generation, at=tx.now())
        )

    def dismissed(self) -> set[int]:
        return {row["generation"] for row in self._read_all("restore.dismissed", host=self._host)}

    def _read_all(self, statement: str, **params: object) -> list[Row]:
        def unit(tx: Reading) -> list[Row]:
            return tx.all(statement, **params)

        return self._store.read(unit)


def _server(row: Row) -> SeenServer:
    return SeenServer(
        key=row["key"],
        name=row["name"],
        pid=row["pid"],
        root=row["root"],
        opened_at=row["opened_at"],
        decided=bool(row["decided"]),
        ended_at=row["ended_at"],
        crashed=bool(row["crashed"]),
    )
