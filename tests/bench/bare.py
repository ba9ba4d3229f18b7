"""What bounds zdriver's daemon: a socket, JSON, and SQLite, with nothing around them.

`python -m tests.bench.bare echo SOCKET`        answers each JSON line with itself
`python -m tests.bench.bare save DB SOCKET`     runs a save's statements first, committed at FULL
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import msgspec

from zdriver.core.clock import now_us
from zdriver.core.ids import new_id
from zdriver.core.tokens import search_words
from zdriver.storage.catalog import statements

_TEXT = "Refactor database layer {}"


def serve(path: Path, answer: Callable[[Any], Any]) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{path}.new")
    listener.listen(128)
    path.with_name(f"{path.name}.new").rename(path)  # where it is there, it listens
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=_connection, args=(accepted, answer), daemon=True).start()


def _connection(sock: socket.socket, answer: Callable[[Any], Any]) -> None:
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    rest = b""
    while data := sock.recv(1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            sock.sendall(encode(answer(decode(line))) + b"\n")


class Saving:
    """The statements of one `set_intent`, as the store runs them, on a bare connection."""

    def __init__(self, database: Path) -> None:
        self.connection = apsw.Connection(str(database), statementcachesize=128)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            self.connection.execute(f"PRAGMA {pragma}").fetchall()
        self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # as the store does, and why
        self._sql = statements("sqlite")
        self._context = new_id()
        self._count = 0
        self._run("context.add", id=self._context, host="h", zellij_session="s", root="/r", at=now_us())

    def _run(self, name: str, **values: Any) -> list[Any]:
        return self.connection.execute(self._sql[name], values).fetchall()

    def save(self) -> None:
        """One, committed by itself."""
        with self.connection:
            self.statements()

    def statements(self) -> None:
        self._count += 1
        now, id_, request, text = now_us(), new_id(), new_id(), _TEXT.format(self._count)
        self._run("context.open_at", host="h", zellij_session="s", root="/r")
        self._run("entry.current_intent", context_id=self._context)
        self._run("entry.end_intent", context_id=self._context, at=now)
        entry = {"id": id_, "context_id": self._context, "type": "intent", "text": text, "source": "manual"}
        empty = {"kind": None, "artifacts": "[]", "commit_id": None, "intent_id": None}
        added = self._run("entry.add", **entry, at=now, **empty)
        self._run("search.add", seq=added[0][0], words=search_words(text, ()))
        envelope = msgspec.json.encode({**entry, "padding": "x" * 300})
        aggregate = f"context:{self._context}"
        event = {"id": new_id(), "type": "intent.set", "aggregate": aggregate, "subject": id_}
        self._run("event.append", **event, at=now, envelope=envelope)
        self._run("request.keep", key=request, digest="d" * 64, result=envelope.decode(), at=now)


def main() -> None:
    kind, *words = sys.argv[1:]
    if kind == "echo":
        serve(Path(words[0]), lambda line: line)
    saving = Saving(Path(words[0]))

    def save(line: Any) -> Any:
        saving.save()
        return line

    serve(Path(words[1]), save)


if __name__ == "__main__":
    main()
