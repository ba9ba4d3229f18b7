"""Killed or stopped in a storm of saves, the daemon loses none that it acknowledged."""

from __future__ import annotations

import signal
import threading

import zdriver
from tests.integration.daemons import Daemons
from zdriver.context.model import Place
from zdriver.testing import Home, until


class Storm:
    """Threads that record milestones as fast as they can, and remember those acknowledged."""

    def __init__(self, place: Place, writers: int = 4) -> None:
        self.acknowledged: list[str] = []
        self.failed: list[str] = []
        self._place = place
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(writers)]
        for thread in self._threads:
            thread.start()

    def _write(self, writer: int) -> None:
        with zdriver.connect() as driver:
            number = 0
            while not self._over.is_set():
                text = f"writer {writer} step {number}"
                number += 1
                try:
                    driver.context.record_milestone(text, place=self._place)
                except zdriver.ZdriverError as error:
                    self.failed.append(f"{text}: {error}")
                else:
                    self.acknowledged.append(text)

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)


def _recorded(place: Place) -> list[str]:
    with zdriver.connect() as driver:
        found = driver.context.history(limit=1000)
        while page := driver.context.history(limit=1000, before=found[-1].id):
            found += page
    return [entry.text for entry in found]


def test_sigkill_in_a_storm_of_saves_fifty_times_loses_no_acknowledged_one(
    home: Home, daemons: Daemons
) -> None:
    place = Place(cwd=str(home.path))
    storm = Storm(place)
    try:
        for _ in range(50):
            before = len(storm.acknowledged)
            until(lambda: len(storm.acknowledged) > before + 5, what="some saves", deadline=60)  # noqa: B023 at once
            pid = daemons.pid()
            daemons.kill(pid)
            daemons.gone(pid)
    finally:
        storm.end()
    recorded = _recorded(place)
    assert set(storm.acknowledged) - set(recorded) == set()
    assert len(recorded) == len(set(recorded)), "a repeated call was done twice"


def test_a_graceful_stop_in_a_storm_fails_nobody(home: Home, daemons: Daemons) -> None:
    place = Place(cwd=str(home.path))
    storm = Storm(place)
    try:
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            before = len(storm.acknowledged)
            until(lambda: len(storm.acknowledged) > before + 20, what="some saves", deadline=60)  # noqa: B023 at once
            pid = daemons.pid()
            daemons.kill(pid, number)
            daemons.gone(pid)
    finally:
        storm.end()
    assert storm.failed == []
    recorded = _recorded(place)
    assert sorted(recorded) == sorted(storm.acknowledged)
