"""`zdriver events`: listed and followed, each once and in order, whatever happens to the daemon."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import zdriver
from tests.integration.commands import Cli
from tests.integration.daemons import Daemons, program
from zdriver.testing import Home, Terminal, until

WRITERS, EACH = 4, 250

#: Says what was acknowledged: a line after each.
WRITER = """
import sys, zdriver
with zdriver.connect() as driver:
    for number in range(int(sys.argv[2])):
        driver.context.record_milestone(f"{sys.argv[1]}-{number}", place=zdriver.here())
        print(f"{sys.argv[1]}-{number}", flush=True)
"""


@contextmanager
def _started(home: Home, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A program of this home, whose lines can be read; it is ended with the block."""
    with subprocess.Popen(
        words, env=home.env, cwd=home.path, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def _tail(home: Home, *words: str) -> Any:
    return _started(home, *program(), "events", "tail", *words)


def _lines(tail: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert tail.stdout is not None
    for line in tail.stdout:
        yield _envelope(line)


def _envelope(line: str) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(line)
    assert (envelope["v"], envelope["ok"]) == (1, True)
    return envelope


class _Reading:
    """Reads what a tail prints, whenever it comes."""

    def __init__(self, tail: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._tail = tail
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._tail.stdout is not None
        for line in self._tail.stdout:
            self.lines.append(line)

    def begun(self, text: str) -> None:
        """It follows: it has printed a milestone of this text, said as often as that took.

        A connection says nothing: it may have asked for no event yet, or be one that is just ending.
        """

        def heard() -> bool:
            _say(text)
            return bool(self.lines)

        until(heard, what="somebody who follows", every=0.2)

    def wait_for(self, text: str) -> None:
        until(lambda: any(text in line for line in self.lines), what=text, shows=lambda: str(self.lines))

    def interrupted(self) -> list[str]:
        """All its lines, after Ctrl-C."""
        self._tail.send_signal(signal.SIGINT)
        assert self._tail.wait(30) == 130
        self._thread.join(30)
        return self.lines


def _text(envelope: dict[str, Any]) -> str:
    return str(envelope["data"]["event"]["payload"]["text"])


def _say(*texts: str) -> None:
    with zdriver.connect() as driver:
        for text in texts:
            driver.context.record_milestone(text, place=zdriver.here())


# ---- list --------------------------------------------------------------------------------


def test_listed_in_order_with_cursors(home: Home, cli: Cli) -> None:
    _say("one", "two", "three")
    listed = cli.data("events", "list")
    assert [each["event"]["payload"]["text"] for each in listed] == ["one", "two", "three"]
    cursors = [each["cursor"] for each in listed]
    assert cursors == sorted(cursors)
    assert cli.data("events", "list", "--after", str(cursors[0])) == listed[1:]
    assert cli.data("events", "list", "--after", "0", "--limit", "1") == listed[:1]
    assert cli.data("events", "list", "--limit", "2") == listed[1:], "the newest ones"
    assert cli.data("events", "list", "--since", "1h") == listed
    assert cli.data("events", "list", "--since", "2099-01-01") == []


def test_only_some_types(home: Home, cli: Cli) -> None:
    with zdriver.connect() as driver:
        driver.context.set_intent("what it is for", place=zdriver.here())
        driver.context.record_milestone("reached", place=zdriver.here())
        driver.context.clear_intent(place=zdriver.here())

    def types(*given: str) -> list[str]:
        words = [word for each in given for word in ("--type", each)]
        return [each["event"]["event_type"] for each in cli.data("events", "list", *words)]

    assert types() == ["intent.set", "milestone.recorded", "intent.cleared"]
    assert types("intent.*") == ["intent.set", "intent.cleared"]
    assert types("intent.set", "milestone.*") == ["intent.set", "milestone.recorded"]
    assert types("intent") == [], "a type is meant as a whole"
    assert types("*.s?t") == ["intent.set"]


def test_in_words_a_line_each_and_as_wide_as_the_terminal(home: Home, cli: Cli) -> None:
    _say("a" * 300, "ünder way")
    plain = cli("events", "list").stdout.splitlines()
    assert len(plain) == 2
    assert "a" * 300 in plain[0], "whole where nobody looks"
    assert "ünder way" in plain[1]
    shell = 'PS1=; stty cols 60; "$@"; echo "code=$?"; read -r _'
    argv = ["/bin/bash", "-c", shell, "bash", *program(), "events", "list"]
    with Terminal(argv, env=home.env, cwd=home.path) as terminal:
        until(lambda: "code=0" in terminal.screen(), what="the list")
        shown = [line.rstrip() for line in terminal.screen().splitlines() if "milestone.recorded" in line]
    assert len(shown) == 2
    assert all(len(line) <= 60 for line in shown)
    assert shown[0].endswith(("…", "…  by hand"))


def test_nothing_is_said_to_be_nothing(home: Home, cli: Cli) -> None:
    assert cli("events", "list").stderr == "nothing happened yet\n"
    _say("one")
    assert "asked for" in cli("events", "list", "--type", "claim.*").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--type", "Worktree; DROP"),
        ("list", "--after", "-1"),
        ("list", "--limit", "0"),
        ("list", "--since", "whenever"),
        ("tail", "--type", ""),
        ("tail", "--after", "9999"),
        ("tail", *("--type", "a") * 51),
    ],
)
def test_what_cannot_be_meant(home: Home, cli: Cli, words: tuple[str, ...]) -> None:
    code, name = cli.refused("events", *words)
    assert (code, name) == (2, "invalid_input")


# ---- tail --------------------------------------------------------------------------------


def test_a_thousand_events_of_four_processes_while_the_daemon_is_killed_twice(
    home: Home, daemons: Daemons
) -> None:
    first = daemons.pid()
    seen: list[dict[str, Any]] = []
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(number), str(EACH)],
            env=home.env, cwd=home.path, stdout=subprocess.PIPE, text=True,
        )
        for number in range(WRITERS)
    ]  # fmt: skip
    with _tail(home, "--json", "--after", "0", "--type", "milestone.*", "--limit", "1000") as tail:
        for envelope in _lines(tail):
            seen.append(envelope)
            if len(seen) in (200, 600):
                pid = daemons.pid()
                assert (pid == first) == (len(seen) == 200)
                daemons.kill(pid)
        assert tail.wait(60) == 0
    acknowledged = [writer.communicate(timeout=60)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    *events, end = seen
    assert end["end"] is True
    assert end["data"]["cursor"] == events[-1]["data"]["cursor"]
    texts = [_text(each) for each in events]
    assert sorted(texts) == sorted(text for each in acknowledged for text in each)
    for number, own in enumerate(acknowledged):
        assert [text for text in texts if text.startswith(f"{number}-")] == own, "in the order of its writer"
    cursors = [each["data"]["cursor"] for each in events]
    assert cursors == sorted(set(cursors))
    _again_in_pieces(home, events)


def _again_in_pieces(home: Home, events: list[dict[str, Any]]) -> None:
    """A reader that comes again and again with its last cursor: after an end, and after a kill."""
    seen: list[dict[str, Any]] = []
    cursor = 0
    for most, killed in ((400, False), (300, True), (1000 - 700, False)):
        limit = () if killed else ("--limit", str(most))
        with _tail(home, "--json", "--after", str(cursor), "--type", "milestone.*", *limit) as tail:
            for envelope in _lines(tail):
                if "end" not in envelope:
                    seen.append(envelope)
                    cursor = envelope["data"]["cursor"]
                if killed and len(seen) == 700:
                    tail.kill()
                    break
    assert seen == events


def test_from_now_on_until_interrupted(home: Home, daemons: Daemons) -> None:
    _say("before")
    with _tail(home, "--json") as tail:
        reading = _Reading(tail)
        reading.begun("after")
        *followed, end = map(_envelope, reading.interrupted())
    assert {_text(each) for each in followed} == {"after"}
    assert end == {"v": 1, "ok": True, "data": {"cursor": followed[-1]["data"]["cursor"]}, "end": True}


def test_the_cursor_of_an_interrupted_tail_is_that_of_its_last_line(home: Home, daemons: Daemons) -> None:
    """Whenever it is interrupted: nothing is lost, and nothing comes twice."""
    _say(*(f"{number}" for number in range(60)))
    seen: list[str] = []
    cursor, rounds = 0, 0
    while len(seen) < 60:
        rounds += 1
        with _tail(home, "--json", "--after", str(cursor)) as tail:
            for number, envelope in enumerate(_lines(tail)):
                if "end" in envelope:
                    assert envelope["data"]["cursor"] == cursor
                    break
                seen.append(_text(envelope))
                cursor = envelope["data"]["cursor"]
                if number == rounds * 5:
                    tail.send_signal(signal.SIGINT)
                if len(seen) == 60:
                    tail.kill()
    assert seen == [str(number) for number in range(60)]


def test_a_stopped_daemon_stays_stopped_and_is_followed_when_it_is_back(home: Home, daemons: Daemons) -> None:
    pid = daemons.pid()
    with _tail(home, "--type", "milestone.*") as tail:
        reading = _Reading(tail)
        reading.begun("before")
        assert tail.stderr is not None
        assert daemons.run("daemon", "stop").returncode == 0
        daemons.gone(pid)
        assert "waiting for it" in tail.stderr.readline()
        daemons.wait_none()
        _say("back")
        reading.wait_for("back")
        reading.interrupted()


def test_a_reader_that_leaves_ends_it(home: Home, daemons: Daemons) -> None:
    _say("one", "two")
    with _tail(home, "--after", "0") as tail:
        assert tail.stdout is not None
        tail.stdout.readline()
        tail.stdout.close()

        def ended() -> bool:
            _say("more")
            return tail.poll() is not None

        until(ended, what="the end of who writes for nobody")
        assert tail.returncode == 141


def test_the_log_of_a_store_that_was_replaced(home: Home, daemons: Daemons, tmp_path: Path) -> None:
    """A cursor of another log is no place in this one: said, and followed from its end."""
    _say(*(f"old {number}" for number in range(20)))
    with _tail(home, "--type", "milestone.*") as tail:
        reading = _Reading(tail)
        reading.begun("old one more")
        assert tail.stderr is not None
        pid = daemons.pid()
        daemons.kill(pid)
        daemons.gone(pid)
        for file in zdriver.core.paths.data_dir().glob("zdriver.db*"):
            file.rename(tmp_path / file.name)
        assert "waiting" in tail.stderr.readline()
        _say("a new life")
        assert "replaced" in tail.stderr.readline()
        _say("goes on")
        reading.wait_for("goes on")
        reading.interrupted()
