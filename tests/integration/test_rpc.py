"""Server and client over a real Unix socket, with a small service of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec
import pytest

from zdriver.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from zdriver.daemon.sockets import Listener
from zdriver.rpc.client import Connection, proxy
from zdriver.rpc.methods import MethodTable
from zdriver.rpc.protocol import PROTOCOL, Welcome
from zdriver.rpc.server import Connection as Served
from zdriver.rpc.server import Server
from zdriver.testing import until


class Note(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    tags: tuple[str, ...] = ()


class NoteApi(Protocol):
    def echo(self, text: str) -> str: ...

    def note(self, text: str, *, tags: tuple[str, ...] = ()) -> Note: ...

    def count(self, *, request: str = "") -> int: ...

    def refuse(self, kind: str) -> None: ...

    def wait(self) -> str: ...

    def big(self, size: int) -> str: ...


class Notes:
    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.hang_up_after = 0
        self.connections: list[Served] = []

    def echo(self, text: str) -> str:
        return text

    def note(self, text: str, *, tags: tuple[str, ...] = ()) -> Note:
        return Note(text=text, tags=tags)

    def count(self, *, request: str = "") -> int:
        """Counts each request once, however often it comes; may lose its answer."""
        number = self.done.setdefault(request, len(self.done) + 1)
        if self.hang_up_after > 0:
            self.hang_up_after -= 1
            self.connections[-1].abort()
        return number

    def refuse(self, kind: str) -> None:
        raise {"conflict": Conflict, "missing": NotFound}[kind]("no", hint="so it is")

    def wait(self) -> str:
        self.entered.set()
        self.go_on.wait(20)
        return "done"

    def big(self, size: int) -> str:
        return "x" * size


class Serving:
    """A server with `Notes` on a socket in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.notes = Notes()
        self.path = folder / "s"
        table = MethodTable()
        table.add("notes", NoteApi, self.notes)
        table.add_function("hello", self._hello, wants_connection=True)
        self.listener = Listener.bind(self.path)
        self.server = Server(self.listener.sock, table)
        self.server.start()

    def _hello(
        self, connection: Served, protocol: int = 1, client: str = "", pid: int = 0, build: str = ""
    ) -> Welcome:
        self.notes.connections.append(connection)
        return Welcome(protocol=PROTOCOL, version="1", build=build, pid=os.getpid(), data_dir="/")

    def client(self, **options: Any) -> Connection:
        return Connection(lambda: self.path, **options)

    def raw(self) -> Raw:
        return Raw(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.notes.go_on.set()
        self.server.stop(5)
        self.listener.close()


class Raw:
    """A socket that says what it is told to."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.fspath(path))  # waits when the queue is full, which a timeout forbids
        self.sock.settimeout(20)
        self.file = self.sock.makefile("rb")

    def say(self, line: bytes) -> Any:
        self.sock.sendall(line)
        return json.loads(self.file.readline())

    def close(self) -> None:
        self.file.close()
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path) as made:
        yield made


ECHO = b'{"jsonrpc":"2.0","id":1,"method":"notes.echo","params":{"text":"hi"}}\n'


def test_a_line_without_any_greeting_is_answered(serving: Serving) -> None:
    with serving.raw() as raw:
        assert raw.say(ECHO) == {"jsonrpc": "2.0", "id": 1, "result": "hi"}


def test_socat_is_a_client(serving: Serving) -> None:
    done = subprocess.run(
        ["socat", "-", f"UNIX-CONNECT:{serving.path}"], input=ECHO, capture_output=True, timeout=20
    )
    assert json.loads(done.stdout)["result"] == "hi"


def test_a_proxy_is_typed_as_the_api_and_gives_structs(serving: Serving) -> None:
    with serving.client() as connection:
        notes: NoteApi = proxy(connection, "notes", NoteApi)
        assert notes.echo("hä?") == "hä?"
        assert notes.note("x", tags=("a", "b")) == Note(text="x", tags=("a", "b"))
        assert notes.note(text="x") == Note(text="x")


@pytest.mark.parametrize(("kind", "error"), [("conflict", Conflict), ("missing", NotFound)])
def test_errors_arrive_as_the_same_classes(serving: Serving, kind: str, error: type[Exception]) -> None:
    with serving.client() as connection:
        notes: NoteApi = proxy(connection, "notes", NoteApi)
        with pytest.raises(error) as caught:
            notes.refuse(kind)
        assert (str(caught.value), caught.value.hint) == ("no", "so it is")  # type: ignore[attr-defined]  # ours
        assert notes.echo("still there") == "still there"


def test_wrong_calls_fail_like_python_functions(serving: Serving) -> None:
    with serving.client() as connection:
        notes: Any = proxy(connection, "notes", NoteApi)
        given: list[tuple[tuple[str, ...], dict[str, str]]] = [
            ((), {}),
            (("a", "b"), {}),
            (("a",), {"text": "b"}),
            ((), {"texts": "a"}),
        ]
        for args, kwargs in given:
            with pytest.raises(TypeError):
                notes.echo(*args, **kwargs)
        with pytest.raises(AttributeError):
            notes.nothing()
        with pytest.raises(InvalidInput):
            notes.echo(5)
        with pytest.raises(InvalidInput, match="UTF-8"):
            notes.echo("\udcff")


def test_sixteen_threads_may_share_a_client(serving: Serving) -> None:
    with serving.client() as connection:
        notes: NoteApi = proxy(connection, "notes", NoteApi)
        wrong: list[str] = []

        def talk(number: int) -> None:
            for i in range(50):
                text = f"{number}-{i}"
                if notes.echo(text) != text:
                    wrong.append(text)

        threads = [threading.Thread(target=talk, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert wrong == []


def test_a_closed_client_stays_closed(serving: Serving) -> None:
    with serving.client() as connection:
        notes: NoteApi = proxy(connection, "notes", NoteApi)
        assert notes.echo("x") == "x"
        connection.reset()
        assert notes.echo("y") == "y"
    with pytest.raises(Unavailable, match="was closed"):
        notes.echo("z")


def test_a_lost_answer_is_asked_for_again_and_counted_once(serving: Serving) -> None:
    with serving.client() as connection:
        notes: NoteApi = proxy(connection, "notes", NoteApi)
        assert notes.count() == 1
        serving.notes.hang_up_after = 2
        assert notes.count() == 2
        assert len(serving.notes.done) == 2
        serving.notes.hang_up_after = 3
        with pytest.raises(Unavailable, match="closed the connection"):
            notes.count()
        assert notes.count(request="mine") == 4
        assert notes.count(request="mine") == 4


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(serving: Serving) -> None:
    with serving.client(timeout=0.2) as connection:
        notes: NoteApi = proxy(connection, "notes", NoteApi)
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            notes.wait()
        serving.notes.go_on.set()
        connection.timeout = 20
        assert notes.echo("next") == "next"


def test_a_forked_process_gets_a_connection_of_its_own(serving: Serving) -> None:
    code = f"""
import os, sys
from pathlib import Path
from zdriver.rpc.client import Connection
connection = Connection(lambda: Path({os.fspath(serving.path)!r}))
assert bytes(connection.call("notes.echo", {{"text": "parent"}})) == b'"parent"'
pid = os.fork()
for i in range(200):
    text = f"{{os.getpid()}} {{i}}"
    assert bytes(connection.call("notes.echo", {{"text": text}})) == b'"%s"' % text.encode()
if pid == 0:
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_no_daemon_and_none_to_start_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="not running") as caught:
        Connection(lambda: tmp_path / "none").call("x", {})
    assert "zdriver daemon start" in caught.value.hint


def test_stopping_answers_what_was_accepted(serving: Serving) -> None:
    with serving.raw() as busy, serving.raw() as idle:
        idle.sock.sendall(ECHO)
        assert idle.file.readline()  # it was let in: who still waits for that hears nothing
        busy.sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"notes.wait"}\n' + ECHO)
        assert serving.notes.entered.wait(20)
        stopping = threading.Thread(target=serving.server.stop)
        stopping.start()
        assert idle.file.readline() == b""
        serving.notes.go_on.set()
        assert json.loads(busy.file.readline())["result"] == "done"
        assert json.loads(busy.file.readline())["result"] == "hi"
        assert busy.file.readline() == b""
        stopping.join(20)
        assert not stopping.is_alive()


def test_large_answers_arrive_whole(serving: Serving) -> None:
    with serving.client() as connection:
        notes: NoteApi = proxy(connection, "notes", NoteApi)
        assert len(notes.big(15 << 20)) == 15 << 20


def test_an_interrupted_call_leaves_a_usable_client(serving: Serving) -> None:
    with serving.client() as connection:
        notes: NoteApi = proxy(connection, "notes", NoteApi)
        notes.echo("warm")
        main = threading.main_thread().ident
        assert main is not None

        def interrupt() -> None:
            serving.notes.entered.wait(20)
            signal.pthread_kill(main, signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            notes.wait()
        serving.notes.go_on.set()
        assert notes.echo("again") == "again"


def test_a_removed_connection_is_forgotten(serving: Serving) -> None:
    with serving.raw() as raw:
        raw.say(ECHO)
        assert serving.server.connections == 1
        assert serving.server.idle_seconds() == 0
    until(lambda: serving.server.connections == 0, what="the connection to be forgotten")
