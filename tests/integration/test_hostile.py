"""Peers that mean harm, or do not know better: nobody else notices them."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_rpc import ECHO, Serving
from zdriver.rpc import server as rpc_server
from zdriver.rpc.framing import MESSAGE_MAX
from zdriver.testing import until


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path) as made:
        yield made


def _fine(serving: Serving) -> bool:
    with serving.raw() as raw:
        return bool(raw.say(ECHO)["result"] == "hi")


def _hostile_lines(count: int) -> Iterator[bytes]:
    dice = random.Random(1)
    shapes = (
        lambda: dice.randbytes(dice.randrange(1, 300)),
        lambda: b"{" * dice.randrange(1, 3000),
        lambda: b"[" * dice.randrange(1, 3000),
        lambda: b'{"jsonrpc":"2.0","id":' + b"9" * dice.randrange(1, 500) + b',"method":"notes.echo"}',
        lambda: b'{"jsonrpc":"2.0","id":1,"method":"notes.big","params":{"size":-1}}',
        lambda: b'{"jsonrpc":"2.0","id":1,"method":"notes.__class__"}',
        lambda: b'{"jsonrpc":"2.0","id":1,"method":"notes.echo","params":{"text":"\xed\xa0\x80"}}',
        lambda: b'{"jsonrpc":"2.0","id":1,"method":"notes.echo","params":{"text":"\\ud800"}}',
        lambda: b"GET / HTTP/1.1\r",
        lambda: b"\0" * dice.randrange(1, 100),
        lambda: ECHO[: dice.randrange(1, len(ECHO) - 1)],
    )
    for _ in range(count):
        yield dice.choice(shapes)().replace(b"\n", b" ")


def test_ten_thousand_hostile_lines_are_answered_and_harm_nobody(serving: Serving) -> None:
    sent = 0
    with serving.raw() as raw, serving.raw() as beside:
        for line in _hostile_lines(10_000):
            raw.sock.sendall(line + b"\n" + ECHO)
            while True:
                answer = json.loads(raw.file.readline())
                if answer.get("result") == "hi":
                    break
                assert answer["jsonrpc"] == "2.0"
            sent += 1
            if sent % 1000 == 0:
                assert beside.say(ECHO)["result"] == "hi"
    assert sent == 10_000


def test_a_line_over_the_limit_is_refused_and_its_connection_closed(serving: Serving) -> None:
    with serving.raw() as raw, pytest.raises((BrokenPipeError, ConnectionResetError)):
        raw.sock.sendall(b"x" * (2 * MESSAGE_MAX))
    assert _fine(serving)


def test_the_answer_to_an_over_long_line_says_so(serving: Serving) -> None:
    with serving.raw() as raw:
        raw.sock.sendall(b"x" * (MESSAGE_MAX + 1))
        assert "longer than 16 MiB" in json.loads(raw.file.readline())["error"]["message"]


def test_half_lines_and_sudden_ends(serving: Serving) -> None:
    for cut in range(1, len(ECHO) - 1):
        with serving.raw() as raw:
            raw.sock.sendall(ECHO[:cut])
    until(lambda: serving.server.connections == 0, what="all of them to be forgotten")
    assert _fine(serving)


def test_unfinished_messages_have_a_limit_together(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_server, "PARTIAL_MAX", 4 << 20)
    raws = [serving.raw() for _ in range(6)]
    for raw in raws:
        with contextlib.suppress(OSError):  # it may be refused while it sends
            raw.sock.sendall(b"x" * (1 << 20))
    refused = 0
    for raw in raws:
        raw.sock.settimeout(0.3)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            refused += "unfinished" in raw.file.readline().decode()
        raw.close()
    assert 1 <= refused <= 3
    until(lambda: serving.server.connections == 0, what="all of them to be forgotten")
    assert _fine(serving)


def test_who_does_not_read_blocks_nobody_and_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_server, "SEND_TIMEOUT", 1)
    with Serving(tmp_path) as serving, serving.raw() as lazy:
        ask = b'{"jsonrpc":"2.0","id":1,"method":"notes.big","params":{"size":4000000}}\n'
        lazy.sock.sendall(ask)
        assert _fine(serving)
        until(lambda: serving.server.connections == 0, what="the one that does not read to be closed")


def test_five_hundred_idle_connections_cost_little_and_block_nobody(serving: Serving) -> None:
    raws = [serving.raw() for _ in range(500)]
    until(lambda: serving.server.connections == 500, what="500 connections")
    assert _fine(serving)
    assert all(raw.say(ECHO)["result"] == "hi" for raw in raws[::50])
    for raw in raws:
        raw.close()
    until(lambda: serving.server.connections == 0, what="all of them to be gone")


def test_more_clients_than_allowed_are_told_so(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_server, "CONNECTIONS_MAX", 3)
    raws = [serving.raw() for _ in range(3)]
    until(lambda: serving.server.connections == 3, what="three connections")
    with serving.raw() as fourth:
        assert "more than 3 clients" in json.loads(fourth.file.readline())["error"]["message"]
    for raw in raws:
        assert raw.say(ECHO)["result"] == "hi"
        raw.close()


def test_another_user_is_refused_even_where_the_folder_lets_him_in(serving: Serving) -> None:
    assert stat.S_IMODE(serving.path.stat().st_mode) == 0o600
    serving.path.chmod(0o666)
    for folder in (serving.path.parent, *serving.path.parent.parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(folder.stat().st_mode | 0o055)
    code = (
        "import socket,sys;s=socket.socket(socket.AF_UNIX);s.settimeout(20);s.connect(sys.argv[1]);"
        "print(s.recv(4096).decode())"  # before anything is said: the door may be shut already
    )
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    done = subprocess.run(
        [*as_nobody, "/usr/bin/python3", "-c", code, str(serving.path)],
        capture_output=True,
        text=True,
        timeout=30,
        cwd="/",
    )
    assert "user 65534 may not use the daemon" in done.stdout, done.stderr
    assert _fine(serving)


def test_a_storm_of_short_connections(serving: Serving) -> None:
    failed: list[BaseException] = []

    def storm() -> None:
        try:
            for i in range(100):
                if i % 3:
                    assert _fine(serving)
                else:
                    with serving.raw() as raw:
                        raw.sock.shutdown(socket.SHUT_RDWR)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=storm) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
