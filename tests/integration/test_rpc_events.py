"""Following the event log: in order, each once, over restarts; and slow readers hold up nobody."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import signal
import socket
import sys
import termios
import threading
from itertools import islice

import pytest

import zdriver
from tests.integration.daemons import Daemons
from zdriver.rpc.events_api import Logged
from zdriver.testing import Home, until


def _set(driver: zdriver.Driver, *texts: str) -> None:
    for text in texts:
        driver.context.set_intent(text, place=zdriver.here())


def _texts(logged: list[Logged]) -> list[str]:
    return [one.event.payload["text"] for one in logged if one.event.event_type == "intent.set"]


def test_the_log_is_listed_with_cursors(daemons: Daemons) -> None:
    with zdriver.connect() as driver:
        assert driver.events.newest() == 0
        _set(driver, "a", "b")
        logged = driver.events.list()
        assert _texts(list(logged)) == ["a", "b"]
        assert driver.events.newest() == logged[-1].cursor
        assert driver.events.list(after=logged[-2].cursor) == logged[-1:]
    daemons.kill(daemons.pid(), signal.SIGTERM)
    until(lambda: not daemons.pids(), what="the daemon to end")
    with zdriver.open() as driver:
        assert driver.events.list() == logged
        with pytest.raises(zdriver.Unavailable, match="needs the daemon"):
            driver.follow()


def test_from_the_beginning_and_then_live(daemons: Daemons) -> None:
    with zdriver.connect() as driver:
        _set(driver, "a", "b")
        following = driver.follow(after=0)
        seen: list[Logged] = []
        while len(_texts(seen)) < 2:
            seen.append(next(following))
        _set(driver, "c")
        while len(_texts(seen)) < 3:
            seen.append(next(following))
        assert _texts(seen) == ["a", "b", "c"]
        assert [one.cursor for one in seen] == sorted({one.cursor for one in seen})
        following.close()


def test_following_goes_on_when_the_daemon_is_killed(daemons: Daemons) -> None:
    seen: list[Logged] = []
    with zdriver.connect() as driver:
        _set(driver, "0")
        following = driver.follow(after=0)

        def read() -> None:
            for one in following:
                seen.append(one)
                if "19" in _texts([one]):
                    return

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(1, 20):
            _set(driver, str(number))
            if number % 5 == 0:
                pid = daemons.pid()
                daemons.kill(pid)
                daemons.gone(pid)
        reader.join(30)
    assert _texts(seen) == [str(number) for number in range(20)]
    assert len({one.cursor for one in seen}) == len(seen)


def test_a_cursor_of_a_log_that_was_replaced(home: Home, daemons: Daemons) -> None:
    """It is no place in the new one: whoever has it hears what happens from now on."""
    with zdriver.connect() as driver:
        _set(driver, *(str(number) for number in range(20)))
        far = driver.events.newest()
        pid = daemons.pid()
        daemons.kill(pid)
        daemons.gone(pid)
        for file in home.database.parent.glob("zdriver.db*"):
            file.unlink()
        following = driver.follow(after=far)
        first: list[Logged] = []
        reader = threading.Thread(target=lambda: first.append(next(following)))
        reader.start()
        numbers = itertools.count()

        def heard() -> bool:
            _set(driver, f"a new life {next(numbers)}")
            return bool(first)

        until(heard, what="the follower to follow", every=0.2)
        reader.join(20)
        assert _texts(first)[0].startswith("a new life")
        following.close()


def test_who_does_not_read_his_events_holds_up_nobody(home: Home, daemons: Daemons) -> None:
    with zdriver.connect() as driver:
        for number in range(290):
            driver.context.record_milestone(f"{number} " + "x" * 4000, place=zdriver.here())
        lazy = socket.socket(socket.AF_UNIX)
        lazy.connect(os.fspath(daemons.socket))
        lazy.sendall(b'{"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{"after":0}}\n')
        until(lambda: _unread(lazy) > 50_000, what="more than there is room for")
        # From here on its patience runs (`SEND_TIMEOUT`): what is slow was done before.
        for number in range(290, 300):
            driver.context.record_milestone(f"{number} " + "x" * 4000, place=zdriver.here())
        following = driver.follow(after=0)
        assert len(list(islice(following, 300))) == 300
        following.close()
        assert driver.daemon.status().clients >= 2
    lazy.settimeout(20)
    with lazy, lazy.makefile("rb") as lines:
        assert json.loads(lines.readline()) == {"jsonrpc": "2.0", "id": 1, "result": {"cursor": 0}}
        cursors = [json.loads(lines.readline())["params"]["cursor"] for _ in range(300)]
    assert cursors == sorted(set(cursors))


def _unread(sock: socket.socket) -> int:
    """Bytes that have come."""
    return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_subscriptions_of_one_connection_are_limited(daemons: Daemons) -> None:
    daemons.pid()
    ask = b'{"jsonrpc":"2.0","id":1,"method":"events.subscribe"}\n'
    with socket.socket(socket.AF_UNIX) as many:
        many.connect(os.fspath(daemons.socket))
        many.settimeout(20)
        with many.makefile("rb") as lines:
            many.sendall(ask * 9)
            answers = [json.loads(lines.readline()) for _ in range(9)]
    assert ["result" in answer for answer in answers] == [True] * 8 + [False]


def test_a_stop_does_not_wait_for_followers(daemons: Daemons) -> None:
    with zdriver.connect() as driver:
        following = driver.follow(after=0)
        _set(driver, "a")
        next(following)
        pid = driver.daemon.status().pid
        driver.daemon.stop()
        daemons.gone(pid)
        following.close()
    assert "did not finish" not in daemons.log()
