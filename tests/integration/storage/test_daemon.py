"""A daemon whose store is on a PostgreSQL that comes and goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.commands import Cli
from zdriver.testing import Home, until
from zdriver.testing.servers import PostgreSql, scratch


@pytest.fixture
def server() -> Iterator[PostgreSql]:
    with scratch("pg") as folder, PostgreSql(folder) as own:
        yield own


def test_it_says_that_its_server_is_away_and_is_there_when_that_is(
    home: Home, cli: Cli, server: PostgreSql
) -> None:
    home.env["ZDRIVER_STORAGE_URL"] = server.database("one")
    server.stop()
    down = cli("intent", "too early")
    assert down.returncode == 5
    assert down.stderr.startswith("error: storage.url: nothing answers there (postgresql://zdriver:***@127")
    assert len(down.stderr.splitlines()) == 2

    server.start()
    assert cli("intent", "in time").returncode == 0
    pid = cli.data("daemon", "status")["pid"]

    server.kill()
    assert cli("intent", "lost").returncode == 5
    said = cli("daemon", "status")
    assert "PostgreSQL" in said.stdout
    assert "down" in said.stdout

    server.start()
    until(lambda: cli("intent", "back").returncode == 0, what="the store to answer", deadline=30)
    assert cli("intent").stdout == "back\n"
    assert cli.data("daemon", "status")["pid"] == pid, "it went on"
    log = (home.path / ".local/state/zdriver/daemon.log").read_text("utf-8")
    assert "sesame" not in log
