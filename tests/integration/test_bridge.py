"""The two pipes: to a real Zellij, and to a stand-in that misbehaves as Zellij does now and then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.e2e.harness import Zellij
from tests.e2e.terminal import Tmux
from zdriver.core import platform
from zdriver.core.errors import Conflict, Unavailable
from zdriver.rpc.framing import Framing
from zdriver.testing import Home, until
from zdriver.zellij import outbox, sessions
from zdriver.zellij.bridge import GONE, Bridge
from zdriver.zellij.messages import Message, decode
from zdriver.zellij.spawn import Breaker, Server, call, find_server

#: What a `zellij pipe` of the stand-in does; `up` and `down` are its pipe's name.
STAND_IN = """
import json, os, signal, sys, time
name = sys.argv[sys.argv.index("--name") + 1].removeprefix("zdriver-")
folder = os.environ["HOME"]
hello = sys.stdin.readline()
with open(folder + "/started", "a") as log:
    log.write(name + " " + hello)
starts = len(open(folder + "/started").read().splitlines())
def say(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\\n")
    sys.stdout.flush()
BEHAVE
"""

ANSWERS = """
if name == "up":
    print("There is no active session!")
    sys.stdout.write("{ not JSON }\\n\\n[1, 2]\\n")
    say(method="plugin.ready", params={})
    for line in open(folder + "/fifo"):
        message = json.loads(line)
        if message.get("method") == "nothing":
            continue
        if message.get("method") == "refuse":
            say(id=message["id"], error={"code": -32009, "message": "not pristine"})
        elif "id" in message and "method" in message:
            say(id=message["id"], result=message["params"])
        else:
            say(method="echo", params=message)
else:
    fifo = open(folder + "/fifo", "w")
    for line in sys.stdin:
        fifo.write(line)
        fifo.flush()
"""

LEAVES_TWICE = (
    """
if starts <= 4:
    sys.exit("There is no active session!")
"""
    + ANSWERS
)

READS_NOTHING = """
if name == "up":
    say(method="plugin.ready", params={})
time.sleep(60)
"""


class Rig:
    """A bridge to a stand-in whose server is a sleeping process."""

    def __init__(self, folder: Path, behave: str) -> None:
        os.mkfifo(folder / "fifo")
        self.folder = folder
        program = folder / "zellij"
        program.write_text(f"#!{sys.executable}\n" + STAND_IN.replace("BEHAVE", behave))
        program.chmod(0o700)
        self.server = subprocess.Popen(["sleep", "600"])
        self.calls: list[Message] = []
        self.ended: list[str] = []
        self.over = threading.Event()
        env = {"HOME": str(folder), "PATH": os.defpath}
        self.bridge = Bridge(
            Server(session="main", pid=self.server.pid, program=str(program), env=env),
            lambda: {"protocol": 1},
            frames=lambda: Framing().feed,
            on_call=self.on_call,
            on_end=self.on_end,
        )
        platform.prepare_die_with_parent()
        self.bridge.start()

    def on_call(self, message: Message) -> None:
        self.calls.append(message)
        if message.method == "plugin.ready":
            self.bridge.ready.set()

    def on_end(self, reason: str) -> None:
        self.ended.append(reason)
        self.over.set()

    def double(self, n: object) -> dict[str, int]:
        """Given back as it is. The pipe may be just starting, which the plugin's is not for long."""
        return self.bridge.request("double", {"n": n}, dict[str, int], timeout=30)

    def wait_ready(self) -> None:
        until(self.bridge.ready.is_set, what="plugin.ready")

    def children(self) -> list[int]:
        return [pid for pid in platform.children(os.getpid()) if "pipe" in platform.argv(pid)]

    def stop(self) -> None:
        self.bridge.close("the test ends")
        self.server.kill()
        self.server.wait()
        assert self.over.wait(30)
        assert self.children() == []


@pytest.fixture
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    made = Rig(tmp_path, getattr(request, "param", ANSWERS))
    yield made
    made.stop()


def test_requests_are_answered_and_noise_is_passed_over(rig: Rig) -> None:
    rig.wait_ready()
    assert rig.double(2) == {"n": 2}
    with pytest.raises(Conflict, match="not pristine"):
        rig.bridge.request("refuse", {}, dict[str, int], timeout=30)
    with pytest.raises(Unavailable, match="makes no sense"):
        rig.double("two")
    rig.bridge.notify("status", {"tabs": []})
    until(lambda: [each.method for each in rig.calls] == ["plugin.ready", "echo"], what="the echo")


def test_hello_is_the_first_line_on_both(rig: Rig) -> None:
    rig.wait_ready()
    # The plugin is ready when the up pipe is: the other may be just starting.
    started = rig.folder / "started"
    until(lambda: started.read_text().count("\n") == 2, what="both pipes")
    lines = started.read_text().splitlines()
    assert sorted(line.split(" ")[0] for line in lines) == ["down", "up"]
    for line in lines:
        hello = json.loads(line.split(" ", 1)[1])
        assert (hello["method"], hello["params"]) == ("hello", {"protocol": 1})


def test_no_answer_is_given_up_and_then_not_waited_for(rig: Rig) -> None:
    rig.bridge.breaker = Breaker(rest=3600)
    rig.wait_ready()
    for _ in range(2):
        with pytest.raises(Unavailable, match="did not answer"):
            rig.bridge.request("nothing", {}, dict[str, int], timeout=0.05)
    with pytest.raises(Unavailable, match="does not answer"):
        rig.double(1)
    rig.bridge.notify("status", {})  # it says something again
    until(lambda: rig.calls[-1].method == "echo", what="the echo")
    assert rig.double(1) == {"n": 1}


@pytest.mark.parametrize("rig", [LEAVES_TWICE], indirect=True)
def test_pipes_that_zellij_sends_away_are_opened_anew(rig: Rig) -> None:
    rig.wait_ready()
    assert rig.double(1) == {"n": 1}
    assert rig.ended == []


def test_pending_requests_end_with_their_pipe(rig: Rig) -> None:
    rig.wait_ready()
    failed: list[str] = []

    def ask() -> None:
        try:
            rig.bridge.request("nothing", {}, dict[str, int], timeout=30)
        except Unavailable as error:
            failed.append(error.message)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: rig.bridge.waiting == 1, what="the request to wait")
    for pid in rig.children():
        os.kill(pid, signal.SIGKILL)
    asking.join(30)
    assert len(failed) == 1
    assert "was closed" in failed[0]
    until(lambda: len([each for each in rig.calls if each.method == "plugin.ready"]) == 2, what="new pipes")


@pytest.mark.parametrize("rig", [READS_NOTHING], indirect=True)
def test_a_zellij_that_does_not_read_stops_nobody(rig: Rig) -> None:
    rig.wait_ready()

    def flood() -> None:
        for _ in range(outbox.WAITING_MAX // 10_000 + 100):
            rig.bridge.notify("status", {"text": "x" * 10_000})

    with pytest.raises(Unavailable, match="does not read"):
        flood()
    assert rig.bridge.alive


def test_the_end_of_the_server_ends_both_pipes(rig: Rig) -> None:
    rig.wait_ready()
    rig.server.kill()
    assert rig.over.wait(30)
    assert (rig.ended, rig.children()) == ([GONE], [])
    with pytest.raises(Unavailable, match="closed"):
        rig.bridge.notify("status", {})


# ---- a real Zellij -------------------------------------------------------------------------


@pytest.fixture
def home() -> Iterator[Home]:
    with Home() as made:
        made.write_config(plugin=False)
        yield made


@pytest.fixture
def zellij(home: Home) -> Iterator[Zellij]:
    tmux = Tmux(home)
    yield Zellij(home, tmux)
    tmux.stop()


def _tab_names(server: Server) -> str:
    """ "" as long as Zellij is not ready to answer, or not in time."""
    try:
        return call(server, "--session", server.session, "action", "query-tab-names", breaker=Breaker())
    except Unavailable:
        return ""


def test_a_client_finds_its_own_session_and_no_other(home: Home, zellij: Zellij, tmp_path: Path) -> None:
    one, two = zellij.start("one"), zellij.start("two")
    one.wait_panes(1)
    two.wait_panes(1)
    # a stopped session would hold up every `zellij` command that looks for all of them
    os.kill(one.server_pid(), signal.SIGSTOP)
    try:
        server = sessions.isolated(find_server("two", two.server_pid()), home.path / "z" / "1")
        assert server.sockets
        until(lambda: "Tab #1" in _tab_names(server), what="the names of its tabs")
    finally:
        os.kill(one.server_pid(), signal.SIGCONT)
    sessions.leave(server)
    assert not Path(server.sockets).exists()
    assert zellij.sessions() == ["one", "two"]


def test_a_server_is_known_by_its_own_environment(home: Home, zellij: Zellij) -> None:
    opened = zellij.start("one")
    server = find_server("one", opened.server_pid())
    assert server.env["XDG_RUNTIME_DIR"] == home.env["XDG_RUNTIME_DIR"]
    assert sessions.socket_path(server.env, "one").is_socket()
    assert sessions.serialized(server.env, "one") is None
    assert not sessions.layout_named(server)
    assert not sessions.ended_by_itself(server.env, "one")
    opened.keys("C-q")
    opened.window.wait_ended()
    until(lambda: not platform.process(server.pid), what="the server to end")
    assert sessions.ended_by_itself(server.env, "one")


def test_a_layout_on_the_command_line_is_seen(home: Home, zellij: Zellij) -> None:
    layout = home.path / "mine.kdl"
    layout.write_text("layout {\n    pane\n}\n")
    opened = zellij.start("one", layout=layout)
    assert sessions.layout_named(find_server("one", opened.server_pid()))


def test_leftover_clients_of_a_killed_daemon_are_ended(home: Home, zellij: Zellij) -> None:
    opened = zellij.start("one")
    opened.wait_panes(1)
    server = sessions.isolated(find_server("one", opened.server_pid()), home.path / "z" / "1")
    words = ["--session", "one", "pipe", "--plugin", "nobody", "--name", "zdriver-down"]
    child = subprocess.Popen(
        ["zellij", *words], executable=server.program, env=server.client_env, stdin=subprocess.PIPE
    )
    until(lambda: platform.environ(child.pid).get("ZELLIJ_SOCKET_DIR") == server.sockets, what="the client")
    sessions.clear(home.path / "z")
    assert child.wait(30) == -signal.SIGKILL
    assert child.stdin is not None
    child.stdin.close()
    assert not (home.path / "z").exists()


def test_messages_of_the_wrong_shape_are_refused_with_their_place() -> None:
    with pytest.raises(Unavailable, match="does not know"):
        decode(msgspec.Raw(b'{"n": "x"}'), dict[str, int])
