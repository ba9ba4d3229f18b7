"""The archive's server dies, hangs or resets in the middle of a run: what was confirmed is there, once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from tests.integration.archive.world import World
from zdriver.archive import archiver as archiver_module
from zdriver.archive import searching as searching_module
from zdriver.archive import working as working_module
from zdriver.archive.model import Committed, Confirmed, Counts, Order, Said
from zdriver.archive.searching import Asked, Searching
from zdriver.context.model import Place
from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.testing import Home
from zdriver.testing.servers import PostgreSql, Proxy, scratch


@pytest.fixture
def server() -> Iterator[PostgreSql]:
    """One of the test's own, with fsync as it is by default: what it confirmed survives a SIGKILL."""
    with scratch("fault") as folder, PostgreSql(folder) as made:
        yield made


@pytest.fixture
def world(home: Home, server: PostgreSql, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    url = server.database("archive")
    monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", url)
    with World(home.database, url) as made:
        yield made


def counted(world: World) -> Counts:
    return Counts(
        **{
            kind: int(world.there(f"SELECT count(*) AS n FROM archive_{kind}")[0]["n"])
            for kind in ("entries", "snapshots", "claims", "events")
        }
    )


class Listening:
    """What the daemon hears of the worker; at the `at`-th word of a commit something happens."""

    def __init__(self, world: World, at: int, happens: object) -> None:
        self.acknowledged = Counts()
        self.confirmed = False
        self._heard = world.archiver._heard
        self._left = at
        self._happens = happens

    def __call__(self, said: Said) -> None:
        self._heard(said)
        self.confirmed |= isinstance(said, Confirmed)
        if isinstance(said, Committed):
            self.acknowledged = self.acknowledged.plus(said.rows)
            self._left -= 1
            if self._left == 0 and callable(self._happens):
                self._happens()


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_the_server_is_killed_in_the_middle(
    world: World, server: PostgreSql, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.live(20)
    heard = Listening(world, at, server.kill)
    monkeypatch.setattr(world.archiver, "_heard", heard)
    failed = ""
    try:
        world.archiver.run()
    except Unavailable as error:  # the worker may have been faster than the kill
        failed = error.message
    assert ("archive.url" in failed) != heard.confirmed
    (noted,) = world.here("SELECT archived_at FROM archives")
    assert bool(noted["archived_at"]) == heard.confirmed
    server.start()
    found = counted(world)
    for kind in ("entries", "claims", "events"):
        assert getattr(found, kind) >= getattr(heard.acknowledged, kind)
    world.live(3, begin=20)
    world.archiver.run()
    world.same()


def test_a_reset_in_the_middle_of_a_commit(
    world: World, server: PostgreSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut after ever more bytes; and where the server committed, and nobody heard of it."""
    world.live(4)
    tried = 0
    with Proxy(server.url_of("archive")) as proxy:
        monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", proxy.url)
        for after in (2_000, 8_000, 20_000):
            proxy.cut_after(after)
            try:
                world.archiver.run()
            except Unavailable:
                tried += 1
        world.live(2, begin=4)
        proxy.lose_answer(b"COMMIT", times=2)
        while proxy.armed:
            with pytest.raises(Unavailable):
                world.archiver.run()
            tried += 1
    monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", world.url)
    assert tried > 2
    world.archiver.run()
    world.same()


def test_a_worker_that_is_killed_in_the_middle_of_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The half line is none: it counts as stopped, like one that was killed between two."""
    half = f"import sys; sys.stdout.write({msgspec.json.encode(Committed(Counts())).decode()[:-9]!r})"
    stand_in = [sys.executable, "-c", half]
    monkeypatch.setattr(working_module, "_command", lambda _order: stand_in)
    heard: list[Said] = []
    with pytest.raises(Unavailable, match="archiving was stopped"):
        working_module.Worker().run(Order(host="h"), heard.append)
    assert heard == []


def test_what_the_server_refuses_is_said_and_tried_again(world: World) -> None:
    world.live(2)
    world.archiver.run()
    world.live(2, begin=2)
    world.change("ALTER TABLE archive_events ADD CONSTRAINT no_more CHECK (false) NOT VALID")
    with pytest.raises(ZdriverError, match="no_more"):
        world.archiver.run()
    world.change("ALTER TABLE archive_events DROP CONSTRAINT no_more")
    world.archiver.run()
    world.same()


def test_without_an_archive_nothing_of_it_is_loaded(home: Home) -> None:
    """Nor with one, until something is looked up there: the daemon stays as small as it is."""
    code = (
        "import sys, zdriver\n"
        "with zdriver.open() as driver:\n"
        "    driver.context.set_intent('x', place=zdriver.here())\n"
        "    driver.context.history()\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('psycopg', 'redis', 'pika')))\n"
        "print('zdriver.archive.archiver' in sys.modules)\n"
    )

    def loaded(**env: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code], env={**home.env, **env}, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    assert loaded() == ["[]", "False"]
    assert loaded(ZDRIVER_ARCHIVE_URL="postgresql://nobody@127.0.0.1:1/x") == ["[]", "True"]


def test_a_server_that_hangs_is_not_waited_for(
    world: World, server: PostgreSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes what it is sent and never answers: forgetting goes on, searching says so, a run is ended."""
    world.contexts.archive_forgets = world.archiver.forget
    made = world.contexts.set_intent("Forget me", place=Place(cwd="/w/x"))
    world.archiver.run()
    searching = Searching(Address(setting="archive.url", scheme="postgresql", url=server.url_of("archive")))
    assert len(searching.history(Asked())) == 1
    server.suspend()
    with monkeypatch.context() as impatient:
        impatient.setattr(archiver_module, "FORGETTING", 1.0)
        impatient.setattr(archiver_module, "SILENCE", 1.0)
        impatient.setattr(searching_module, "PATIENCE", 1.0)
        with pytest.raises(Unavailable, match=r"archive\.url"):
            searching.history(Asked())
        with pytest.raises(Unavailable, match=r"archive\.url"):
            world.archiver.run()
        assert world.contexts.forget((made.id,)).archive == "owed"
    server.resume()
    assert world.archiver.run().forgotten == 1
    assert searching.history(Asked()) == []
    searching.close()
