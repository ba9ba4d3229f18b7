"""Many processes that want one worktree: `python -m tests.integration.claims.racers race|wait N ROUNDS NAME`.

race   each round all claim at once; who won releases it. One line a round: the winners' tokens
wait   all wait for it, and let it go as soon as they have it. One line: the tokens as they came
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import NamedTuple

import zdriver
from zdriver.core.errors import Conflict, Unavailable
from zdriver.library import Driver


class Place(NamedTuple):
    """Where a racer stands, when that is elsewhere: its daemon is found by the environment."""

    env: dict[str, str]
    folder: str

    def enter(self) -> None:
        os.environ.clear()
        os.environ.update(self.env)
        os.chdir(self.folder)


class Racer:
    """A process of its own, with a connection of its own. It is told what to do by one byte."""

    def __init__(self, number: int, name: str, place: Place | None = None) -> None:
        self.ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                self.ours.close()
                if place is not None:
                    place.enter()
                _be(theirs, f"agent-{number}", name)
                code = 0
            except ConnectionError:
                pass  # whoever tells it what to do is gone
            except BaseException:  # in a fork, what called this must not hear of it
                traceback.print_exc()
            finally:
                os._exit(code)
        theirs.close()

    def tell(self, what: bytes) -> None:
        self.ours.send(what)

    def said(self) -> int:
        """A token; 0: it was held by another."""
        data = self.ours.recv(32)
        if not data:
            raise EOFError(f"racer {self.pid} is gone")
        return int(data)


def _be(line: socket.socket, agent: str, name: str) -> None:
    with zdriver.connect(timeout=60) as driver:
        driver.claims.list()  # connected
        line.send(b"0")
        while (word := line.recv(1)) != b"q":
            line.send(b"%d" % _do(driver, word, agent, name))


def _do(driver: Driver, word: bytes, agent: str, name: str) -> int:
    if word == b"w":
        token = driver.claims.claim(name, agent=agent, lease=60, wait=3000).token
        driver.claims.release(name, agent=agent, token=token)
        return token
    if word == b"r":
        driver.claims.release(name, agent=agent)
        return 0
    while True:
        try:
            return driver.claims.claim(name, agent=agent).token
        except Conflict:
            return 0
        except Unavailable:  # others were at it for too long, nothing was saved: it says, do it again
            continue


def main() -> None:
    how, count, rounds, name = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    play(how, [None] * count, rounds, name)


def play(how: str, places: Sequence[Place | None], rounds: int, name: str) -> None:
    """A racer at each of `places`."""
    racers = [Racer(number, name, place) for number, place in enumerate(places)]
    for racer in racers:
        racer.said()
    for _ in range(rounds):
        for racer in racers:
            racer.tell(b"w" if how == "wait" else b"c")
        tokens = [racer.said() for racer in racers]
        won = [racer for racer, token in zip(racers, tokens, strict=True) if token]
        print(json.dumps([token for token in tokens if token]), flush=True)
        if how == "race":
            for racer in won:
                racer.tell(b"r")
                racer.said()
    for racer in racers:  # told, for those forked later hold copies of its socket: closing ends nothing
        racer.tell(b"q")
        os.waitpid(racer.pid, 0)


if __name__ == "__main__":
    main()
