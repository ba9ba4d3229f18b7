"""What is kept of a pane's text, and when it is read again: the pure rules."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from zdriver.context.capture import PaneState, State
from zdriver.context.contentfiles import content_files
from zdriver.context.contents import Packed, unpack_scrollback
from zdriver.context.layout import Layout, Pane, Tab
from zdriver.context.scrollback import keep, may_have_changed, redact_screen, shown_again
from zdriver.core import tty
from zdriver.core.errors import StoreDamaged, Unavailable
from zdriver.core.redact import redact_text
from zdriver.daemon.scrollback import Scrollback
from zdriver.zellij.kdl import render_layout
from zdriver.zellij.spawn import Server

SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEow\n" * 100 + "-----END RSA PRIVATE KEY-----"


def text_of(packed: Packed) -> str:
    return unpack_scrollback(packed.key, packed.blobs.__getitem__)


def test_the_last_lines_are_kept_without_the_empty_ones_below() -> None:
    text = "\n".join(f"{i}" for i in range(10)) + "\n\n   \n"
    assert text_of(keep(text, 3)) == "7\n8\n9\n"
    assert text_of(keep(text, 100)).startswith("0\n")
    for nothing in ("", "\n \n"):
        assert keep(nothing, 10) == Packed("", {})


@pytest.mark.parametrize("at", [0, 1, 62, 63, 64, 65, 127, 128, 199])
def test_secrets_are_found_wherever_the_pieces_end(at: int) -> None:
    lines = [f"line {i}" for i in range(200)]
    lines[at] = f"export TOKEN={SECRET}"
    lines.insert(at + 1, "password:\n  hunter2hunter2")
    text = "\n".join(lines)
    assert redact_screen(text) == redact_text(text)[0]
    assert SECRET not in redact_screen(text)


def test_a_key_block_goes_as_a_whole_also_where_its_head_is_cut_off() -> None:
    kept = text_of(keep("before\n" + KEY + "\nafter", 20))
    assert kept == "before\n‹redacted›\nafter\n"


def test_a_secret_that_zellij_broke_at_the_edge_of_the_screen_is_found() -> None:
    line = "token is " + SECRET
    broken = "first\n" + line[:20] + "\n" + line[20:] + "\nlast"
    assert redact_screen(broken, (20, 18)) == "first\ntoken is ‹redacted›\nlast"
    # lines that are as wide by chance stay two
    assert redact_screen("x" * 20 + "\nnext", (20,)) == "x" * 20 + "\nnext"


def test_a_terminal_is_read_again_only_when_something_may_be_new() -> None:
    assert may_have_changed(read_at=1000.0, written_at=1001)
    assert may_have_changed(read_at=1003.0, written_at=1001)  # the same 8 s: later output leaves no trace
    assert not may_have_changed(read_at=1008.0, written_at=1001)
    assert not may_have_changed(read_at=5000.0, written_at=1001)


def test_text_is_given_back_as_a_terminal_wants_it() -> None:
    assert shown_again("a\nü\tb\n") == "a\r\nü\tb"
    assert shown_again("\x1b]52;c;x\x07a\x9b2Jb\x7f\n") == "]52;c;xa2Jb"


def test_the_files_are_private_and_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    layout = Layout(tabs=(Tab(tiled=(Pane(cwd="/", contents="k1"), Pane(cwd="/", contents="k2"))),))

    def read(key: str) -> str:
        if key == "k2":
            raise StoreDamaged("damaged")
        return "one\ntwo\n"

    with content_files(layout, read) as files:
        assert set(files.by_key) == {"k1"}
        file = Path(files.by_key["k1"])
        assert file.read_bytes() == b"one\r\ntwo"
        assert file.parent.stat().st_mode & 0o777 == 0o700
        kdl = render_layout(layout, contents=files.by_key)
        assert kdl.count(f'contents_file="{file}"') == 1
        named = files.write_layout(kdl)
        assert named is not None
        assert Path(named + ".kdl").read_text() == kdl
    assert not file.parent.exists()
    with content_files(Layout(), read) as files:
        assert files.write_layout("layout { }") is None


@pytest.fixture
def shell(tmp_path: Path) -> object:
    """A process with a terminal of its own: (pid, our end of it)."""
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.readline()"],
        stdin=theirs,
        preexec_fn=take_terminal,
    )
    # As if it had printed a minute from now: a span of its time does not end in the middle of a test.
    later = time.time() + 60
    os.utime(os.ttyname(theirs), (later, later))
    yield child.pid, theirs
    os.write(ours, b"\n")
    child.wait(60)
    os.close(ours)
    os.close(theirs)


def test_a_terminal_is_found_and_told_raw_from_plain(shell: tuple[int, int]) -> None:
    pid, theirs = shell
    path = tty.path(pid)
    assert path == os.ttyname(theirs)
    assert tty.path_ps(pid) == path
    assert not tty.is_raw(path)
    modes = termios.tcgetattr(theirs)
    modes[3] &= ~termios.ICANON
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    assert tty.is_raw(path)
    assert tty.written_at(path) is not None
    assert (tty.path(0), tty.written_at("/nonexistent"), tty.is_raw("/nonexistent")) == ("", None, False)


class Zellij:
    """Answers in the place of `zellij action dump-screen`."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.says: str | None = "hello\n"

    def __call__(self, server: Server, terminal: int) -> str:
        self.asked.append(terminal)
        if self.says is None:
            raise Unavailable("no answer")
        return self.says


def reader(zellij: Zellij, lines: int = 100) -> Scrollback:
    server = Server(session="s", pid=0, program="zellij", env={})
    return Scrollback(server, lines, dump=zellij)


def state(pid: int, **more: object) -> State:
    pane = PaneState(tab=0, id=4, columns=80, **more)  # type: ignore[arg-type]  # fields of a pane
    return State(panes=(pane,), pids={4: pid})


def test_a_pane_is_read_once_and_not_again_within_a_round(shell: tuple[int, int]) -> None:
    zellij = Zellij()
    scrollback = reader(zellij)
    pid, theirs = shell
    assert scrollback.step(state(pid), {4: ("/", ())})
    assert text_of(scrollback.kept["terminal_4"]) == "hello\n"
    os.write(theirs, b"more")
    assert not scrollback.step(state(pid), {4: ("/", ())})
    assert zellij.asked == [4]
    # somebody who needs it now gets it now; a pane that is gone is forgotten at the next round
    zellij.says = "more\n"
    scrollback.read_all(state(pid), {4: ("/", ())})
    assert text_of(scrollback.kept["terminal_4"]) == "more\n"


def test_a_full_screen_program_is_not_read(shell: tuple[int, int]) -> None:
    zellij = Zellij()
    scrollback = reader(zellij)
    pid, theirs = shell
    modes = termios.tcgetattr(theirs)
    modes[3] &= ~termios.ICANON
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    scrollback.read_all(state(pid), {4: ("/", ("vim",))})
    assert zellij.asked == []
    scrollback.read_all(state(pid), {4: ("/", ())})  # a shell at its prompt reads single keys as well
    assert zellij.asked == [4]


def test_a_full_screen_program_that_comes_while_it_is_read_leaves_what_was_there(tmp_path: Path) -> None:
    code = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
sys.stdin.readline()
if os.fork() == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    print("here", flush=True)
    sys.stdin.readline()
else:
    os.wait()
"""
    ours, theirs = pty.openpty()
    modes = termios.tcgetattr(theirs)
    modes[3] &= ~(termios.ICANON | termios.ECHO)

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=subprocess.PIPE, preexec_fn=take_terminal
    )

    class Opening(Zellij):
        def __call__(self, server: Server, terminal: int) -> str:
            if self.asked:
                os.write(ours, b"\n")
                assert child.stdout is not None
                assert child.stdout.readline() == b"here\n"
                termios.tcsetattr(theirs, termios.TCSANOW, modes)
                self.says = "its screen"
            return super().__call__(server, terminal) or ""

    scrollback = reader(Opening())
    scrollback.read_all(state(child.pid), {4: ("/", ())})
    os.write(theirs, b"more")
    scrollback.read_all(state(child.pid), {4: ("/", ())})
    assert text_of(scrollback.kept["terminal_4"]) == "hello\n"
    os.write(ours, b"\n")
    child.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)


def test_nothing_is_read_where_nothing_is_kept(shell: tuple[int, int]) -> None:
    zellij = Zellij()
    scrollback = reader(zellij, lines=0)
    assert not scrollback.step(state(shell[0]), {})
    scrollback.read_all(state(shell[0]), {})
    scrollback.adopt({4: keep("from an earlier session", 10)})
    assert zellij.asked == []
    assert scrollback.kept == {}


def test_no_answer_keeps_what_is_known_and_asks_again(shell: tuple[int, int]) -> None:
    zellij = Zellij()
    scrollback = reader(zellij)
    pid = shell[0]
    scrollback.read_all(state(pid, exited=True), {})
    for answer in (None, ""):
        zellij.says = answer
        scrollback.read_all(state(pid), {})
        assert text_of(scrollback.kept["terminal_4"]) == "hello\n"
    zellij.says = "again\n"
    scrollback.read_all(state(pid), {})
    assert text_of(scrollback.kept["terminal_4"]) == "again\n"


def test_for_a_snapshot_a_zellij_that_says_nothing_is_asked_again(shell: tuple[int, int]) -> None:
    class Busy(Zellij):
        def __call__(self, server: Server, terminal: int) -> str:
            super().__call__(server, terminal)
            return "late\n" if len(self.asked) == 2 else ""

    scrollback = reader(busy := Busy())
    scrollback.read_all(state(shell[0]), {4: ("/", ())})
    assert (text_of(scrollback.kept["terminal_4"]), busy.asked) == ("late\n", [4, 4])
    stuck = Zellij()
    stuck.says = None
    reader(stuck).read_all(state(shell[0]), {4: ("/", ())})
    assert stuck.asked == [4]  # that took its time already


def test_a_command_that_ended_is_read_once_more_and_one_that_waits_never() -> None:
    zellij = Zellij()
    scrollback = reader(zellij)
    for _ in range(2):
        scrollback.read_all(state(0, exited=True, held=True, exit_status=0), {})
    assert zellij.asked == [4]
    scrollback.read_all(state(0, held=True), {})
    assert zellij.asked == [4]
