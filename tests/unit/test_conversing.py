"""What a child says until it ends, whatever it leaves behind."""

from __future__ import annotations

import itertools
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from zdriver.core import conversing
from zdriver.core.conversing import converse


@contextmanager
def child(script: str, *, hears: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-Ic", script],
        stdin=subprocess.PIPE if hears else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(params=["told of its end", "looking for its end"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "looking for its end":
        monkeypatch.setattr(conversing, "_watched", lambda _process: None)


@pytest.mark.usefixtures("way")
def test_both_outputs_and_the_exit_status_come_back() -> None:
    with child("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)") as process:
        assert converse(process, timeout=30, linger=1) == (b"out\n", b"err\n")
        assert process.returncode == 3


@pytest.mark.usefixtures("way")
def test_more_than_pipes_hold_goes_both_ways() -> None:
    given = bytes(range(256)) * 4000
    script = "import sys; d = sys.stdin.buffer.read(); sys.stderr.buffer.write(d); sys.stdout.buffer.write(d)"
    with child(script, hears=True) as process:
        assert converse(process, given, timeout=30, linger=1) == (given, given)


@pytest.mark.usefixtures("way")
def test_one_that_reads_nothing_is_heard_all_the_same() -> None:
    with child("print('no, thanks')", hears=True) as process:
        assert converse(process, b"x" * 1_000_000, timeout=30, linger=1)[0] == b"no, thanks\n"


@pytest.mark.usefixtures("way")
def test_one_that_closes_its_outputs_and_lives_on_is_waited_for() -> None:
    with child("import os, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(7)") as process:
        assert converse(process, timeout=30, linger=1) == (b"", b"")
        assert process.returncode == 7


@pytest.mark.usefixtures("way")
def test_what_it_left_running_is_not_waited_for() -> None:
    left = "import os, time; print('done', flush=True); os.fork() or time.sleep(60)"
    with child(left) as process:
        began = time.monotonic()
        assert converse(process, timeout=50, linger=0.2)[0] == b"done\n"
        assert time.monotonic() - began < 30, "it waited for a process that nobody asked for"


class Blinking:
    """poll(2) as it may answer: what comes when it has looked at that output already, it tells next time."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._hidden: list[int] = []
        self.unregister = self._poll.unregister

    def register(self, fd: int, mask: int) -> None:
        self._poll.register(fd, mask)
        self._hidden = self._hidden or [fd]

    def poll(self, timeout: int) -> list[tuple[int, int]]:
        hidden, self._hidden = self._hidden, []
        return [(fd, mask) for fd, mask in self._poll.poll(timeout) if fd not in hidden]


@pytest.mark.usefixtures("way")
def test_what_was_said_is_heard_by_a_process_that_was_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    """For longer than it would linger, just when it had heard of the end."""
    with child("print('said')") as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        clock = itertools.count(0.0, 2.0)
        monkeypatch.setattr(conversing, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        monkeypatch.setattr(conversing, "select", SimpleNamespace(poll=Blinking, POLLIN=select.POLLIN))
        assert converse(process, timeout=30, linger=1) == (b"said\n", b"")


@pytest.mark.usefixtures("way")
def test_one_that_runs_on_is_told_apart_with_what_it_said() -> None:
    with child("import time; print('so far', flush=True); time.sleep(60)") as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 30)[0], "it has said so far"
        with pytest.raises(subprocess.TimeoutExpired) as late:
            converse(process, timeout=2, linger=1)
        assert late.value.output == b"so far\n"
        assert process.poll() is None
