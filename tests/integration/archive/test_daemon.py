"""The daemon archives by itself; commands and status as a user sees them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from tests.integration.commands import Cli
from tests.integration.daemons import Daemons, program
from tests.integration.stores import service
from zdriver.archive.archiver import Archiver
from zdriver.archive.model import Said, Settled
from zdriver.context.model import Place
from zdriver.core import platform
from zdriver.core.clock import now_us
from zdriver.core.engines import Address
from zdriver.storage.postgres.store import PostgresStore
from zdriver.testing import Home, until
from zdriver.testing.servers import PostgreSql, scratch

#: A run is a process of its own, and a machine full of tests is slow at starting those.
wait = partial(until, deadline=60)


@pytest.fixture
def archived(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The home's daemon has an archive."""
    monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", database_url)
    home.env["ZDRIVER_ARCHIVE_URL"] = database_url
    return database_url


def texts(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('archive_entries')").fetchone() == (None,):
            return []
        return [row[0] for row in connection.execute("SELECT text FROM archive_entries ORDER BY at")]


def reached(url: str, text: str) -> bool:
    return text in texts(url)


def ended(url: str, text: str) -> bool:
    """Whether a run has brought this, and is over: it is said of when the newest one was."""
    if not reached(url, text):
        return False
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT 1 FROM archive_stores WHERE archived_at > clock_timestamp() - interval '12 hours'"
        )
        return found.fetchone() is not None


def engine(cli: Cli) -> dict[str, Any]:
    (found,) = (each for each in cli.data("daemon", "status")["engines"] if each["role"] == "archive")
    assert isinstance(found, dict)
    return found


def test_by_hand(cli: Cli, archived: str) -> None:
    cli("intent", "Refactor database layer")
    cli("milestone", "Schema is done")
    wait(lambda: engine(cli)["version"], what="the first look at the archive")
    before = engine(cli)
    assert before["state"] == "ok"
    dry = cli("archive", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    done = cli.data("archive")
    assert done["behind"] == 0
    assert texts(archived) == ["Refactor database layer", "Schema is done"]
    assert "nothing is new" in cli("archive").stdout
    assert engine(cli)["lag"] == 0
    found = cli.data("history", "--archive", "data")
    assert [each["text"] for each in found] == ["Refactor database layer"]
    assert found[0]["host"] == os.uname().nodename
    shown = cli("history", "--archive", "--since", "1h", "--repo", ".", "--host", os.uname().nodename)
    assert "Schema is done" in shown.stdout
    assert "nothing found" in cli("history", "--archive", "--host", "elsewhere").stderr
    assert "Schema is done" in cli("history", "--archive", "--markdown").stdout
    gone = cli.data("forget", found[0]["id"], "--yes")
    assert gone["archive"] == "done"
    assert texts(archived) == ["Schema is done"]


def test_by_itself(cli: Cli, home: Home, archived: str) -> None:
    """Once when the daemon starts, then each interval."""
    home.env["ZDRIVER_ARCHIVE_INTERVAL"] = "1"
    for number in range(3):
        cli("intent", f"Intent {number}")
        wait(partial(reached, archived, f"Intent {number}"), what="the next run")


def test_it_says_that_it_stays(cli: Cli, archived: str) -> None:
    """A daemon that ended after half an hour without use would not archive each day."""
    cli("intent", "Refactor database layer")
    assert cli.data("daemon", "status")["stays_for"] == ["archive.url"]
    said = cli("daemon", "status").stdout
    assert "not by itself while it is at work for archive.url" in said
    assert "without use" not in said


def test_missed_while_the_daemon_was_away(cli: Cli, home: Home, archived: str) -> None:
    """What was due meanwhile is done when it is back; what is not due is not."""
    cli("intent", "Before")
    wait(partial(ended, archived, "Before"), what="the first run")
    cli("daemon", "stop")
    with psycopg.connect(archived) as connection:
        connection.execute("UPDATE archive_stores SET archived_at = archived_at - interval '25 hours'")
    home.env.pop("ZDRIVER_ARCHIVE_URL")
    cli("intent", "Meanwhile")
    cli("daemon", "stop")
    home.env["ZDRIVER_ARCHIVE_URL"] = archived
    cli("intent")
    wait(lambda: ended(archived, "Meanwhile") and engine(cli)["lag"] == 0, what="what was missed")
    cli("intent", "Afterwards")
    cli("daemon", "stop")
    cli("intent")
    wait(lambda: engine(cli)["lag"] == 1, what="a look that finds nothing due")
    assert texts(archived) == ["Before", "Meanwhile"]


def test_an_archive_that_is_away_keeps_nobody_waiting(cli: Cli, home: Home) -> None:
    with scratch("away") as folder:
        server = PostgreSql(folder, options={"fsync": "off"})
        home.env["ZDRIVER_ARCHIVE_URL"] = server.url_of("archive")
        home.env["ZDRIVER_ARCHIVE_INTERVAL"] = "1"
        assert cli("intent", "Goes on").returncode == 0
        wait(lambda: engine(cli)["state"] == "down", what="the first try")
        assert "archive.url" in engine(cli)["message"]
        assert cli.refused("archive") == (5, "unavailable")
        assert cli.refused("history", "--archive", "x") == (5, "unavailable")
        with server:
            url = server.database("archive")
            wait(lambda: texts(url) == ["Goes on"], what="the archive's return")
            wait(lambda: engine(cli)["state"] == "ok", what="the word of it")
            server.kill()
            assert cli("intent", "Again").returncode == 0
            wait(lambda: engine(cli)["state"] == "down", what="its going")
            server.start()
            wait(lambda: texts(url) == ["Goes on", "Again"], what="its return")


def test_a_worker_ends_with_its_daemon(cli: Cli, home: Home, daemons: Daemons) -> None:
    """Also in the middle of something: here the server does not answer."""
    with scratch("hang") as folder, PostgreSql(folder, options={"fsync": "off"}) as server:
        home.env["ZDRIVER_ARCHIVE_URL"] = server.database("archive")
        cli("intent", "Before")
        wait(lambda: engine(cli)["version"], what="the first run")
        server.suspend()
        waiting = subprocess.Popen(
            [*program(), "archive"], env=home.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        found = wait(lambda: workers(home), what="a worker")
        os.kill(daemons.pid(), signal.SIGKILL)
        wait(lambda: not any(map(platform.process, found)), what="the worker's end")
        server.resume()
        waiting.kill()
        waiting.wait()


def workers(home: Home) -> list[int]:
    return [
        pid
        for pid in home.running()
        if any(word.endswith("/zdriver/archive/__main__.py") for word in platform.argv(pid))
    ]


def test_nothing_is_configured(cli: Cli) -> None:
    assert cli.refused("archive") == (5, "unavailable")
    assert "archive.url is not set" in cli("archive").stderr
    assert cli.refused("history", "--archive", "x") == (5, "unavailable")
    assert cli.refused("history", "--host", "x")[0] == 2
    assert cli.refused("history", "--archive", "--context", "abcd1234")[0] == 2
    assert [each for each in cli.data("daemon", "status")["engines"] if each["role"] == "archive"] == []


@pytest.mark.parametrize("url", ["mysql://h/d", "postgresql://u:hushhush@h:notaport/d", "//"])
def test_a_wrong_url_is_named(cli: Cli, home: Home, url: str) -> None:
    home.env["ZDRIVER_ARCHIVE_URL"] = url
    assert cli("intent", "Goes on").returncode == 0
    said = cli("archive")
    assert said.returncode == 5
    assert said.stderr.startswith("error: archive.url")
    assert "hushhush" not in said.stderr


@pytest.fixture
def shared(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresStore]:
    """A store on PostgreSQL, whose archive lies in the same database."""
    monkeypatch.setenv("ZDRIVER_STORAGE_URL", database_url)
    monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", database_url)
    with PostgresStore(Address(setting="storage.url", scheme="postgresql", url=database_url)) as store:
        yield store


def test_what_is_owed_with_a_lower_number_and_committed_later_stays_owed(
    shared: PostgresStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two machines forget at once: the first number is not yet to be seen when the second one is done."""
    archiver = Archiver(shared, host="h", shown="…", interval=3600)
    archiver.run()
    owe = "INSERT INTO archive_owed (kind, id) VALUES ('entry', %s)"
    heard = archiver._heard
    with psycopg.connect(database_url) as late:
        late.execute(owe, ("late",))
        with psycopg.connect(database_url) as early:
            early.execute(owe, ("early",))

        def hear(said: Said) -> None:
            if isinstance(said, Settled):
                late.commit()  # before this daemon takes note of what is settled
            heard(said)

        monkeypatch.setattr(archiver, "_heard", hear)
        forgotten = archiver.run().forgotten
    left = shared.read(lambda tx: tx.all("archive.owed", after=0, limit=10))
    # The same run may have seen it at its second look.
    assert forgotten + len(left) == 2
    assert {row["id"] for row in left} <= {"late"}
    archiver.stop()


def test_a_store_on_postgresql_is_archived_as_well(shared: PostgresStore, database_url: str) -> None:
    contexts = service(shared)
    place = Place(cwd="/w/x", zellij_session="z")
    made = contexts.set_intent("First", place=place)
    contexts.record_milestone("Reached", place=place)
    archivers = [Archiver(shared, host=f"h{n}", shown="…", interval=86_400) for n in range(2)]
    wait(lambda: archivers[0].run().behind == 0, what="events that are settled")
    assert texts(database_url) == ["First", "Reached"]
    contexts.set_intent("Second", place=place)
    wait(lambda: archivers[1].run() and "Second" in texts(database_url), what="events that are settled")
    with psycopg.connect(database_url) as connection:
        ended = connection.execute("SELECT text FROM archive_entries WHERE ended_at IS NOT NULL").fetchall()
        assert ended == [("First",)]
        doubled = connection.execute("SELECT id FROM archive_events GROUP BY id HAVING count(*) > 1")
        assert doubled.fetchall() == []
    contexts.forget((made.id,))
    archivers[0].run()
    assert texts(database_url) == ["Reached", "Second"]
    pruning = Archiver(
        shared, host="h", shown="…", interval=1, keep_days=1, clock=lambda: now_us() + 800 * 86_400_000_000
    )
    wait(lambda: pruning.run().pruned.events or contexts.history() is None, what="old rows to go")
    assert [entry.text for entry in contexts.history()] == ["Second", "Reached"]
