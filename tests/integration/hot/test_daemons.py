"""Two machines of one user as they are met: two homes, each with its daemon, and one Redis."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.commands import Cli
from tests.integration.hot.machines import TIMEOUT_MS, fields, git, remote, soon
from zdriver.core.ids import new_id
from zdriver.testing import Home
from zdriver.testing.servers import Redis, scratch


@pytest.fixture
def server() -> Iterator[Redis]:
    with scratch("redis-own") as folder, Redis(folder) as made:
        yield made


class Host:
    """A home on a machine of its own."""

    def __init__(self, home: Home, url: str, bare: Path) -> None:
        state = Path(home.env["XDG_STATE_HOME"]) / "zdriver"
        state.mkdir(parents=True, mode=0o700)
        (state / "host").write_text(f"{new_id()}\n")  # two homes of one machine would have the same
        home.env["ZDRIVER_CONTEXT_URL"] = url
        home.env["ZDRIVER_CONTEXT_TIMEOUT_MS"] = str(TIMEOUT_MS)
        self.home, self.cli = home, Cli(home)
        self.app = home.path / "app"
        git(home.path, "clone", "-q", str(bare), "app")

    def __call__(self, *words: str) -> str:
        done = self.cli(*words, cwd=self.app)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def engine(self) -> dict[str, object]:
        (found,) = self.cli.data("daemon", "status")["engines"]
        assert isinstance(found, dict)
        return found


@pytest.fixture
def hosts(server: Redis, tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    bare = remote(tmp_path)
    with Home() as one, Home() as other:
        yield Host(one, server.url, bare), Host(other, server.url, bare)


def test_what_is_left_on_one_is_found_on_the_other(hosts: tuple[Host, Host], server: Redis) -> None:
    desk, laptop = hosts
    desk("intent", "Refactor the café")
    desk("milestone", "tests pass", "--artifact", f"{desk.app}/a.py")
    id_ = desk.cli.data("intent", cwd=desk.app)["context"]["id"]
    with redis.Redis.from_url(server.url, decode_responses=True) as plain:
        soon(lambda: fields(plain, id_).get("milestones"), "it is in Redis")
        assert fields(plain, id_)["intent"] == "Refactor the café"
        assert plain.get(f"intent:{id_}") == "Refactor the café"
    soon(lambda: laptop("intent") == "Refactor the café\n", "the laptop sees it")
    laptop("milestone", "and documented")
    assert laptop("intent") == "Refactor the café\n"
    told = laptop.cli.data("milestone", cwd=laptop.app)
    assert [each["text"] for each in told] == ["and documented", "tests pass"]
    assert told[1]["artifacts"] == [f"{laptop.app}/a.py"]
    assert "tests pass" in laptop("history")
    types = {line["event"]["event_type"] for line in laptop.cli.data("events", "list")}
    assert "context.taken_over" in types


def test_a_daemon_says_how_redis_is_and_goes_on_without(hosts: tuple[Host, Host], server: Redis) -> None:
    desk = hosts[0]
    desk("intent", "before")
    soon(lambda: desk.engine()["state"] == "ok", "it is well")
    server.kill()
    soon(lambda: desk.engine()["state"] == "down", "it is said to be down")
    for number in range(20):
        desk("milestone", f"step {number}")
    assert str(desk.engine()["message"]).startswith("context.url: redis://127.0.0.1")
    soon(lambda: desk.engine()["lag"], "it is said to have something to write")
    server.start()
    id_ = desk.cli.data("intent", cwd=desk.app)["context"]["id"]
    with redis.Redis.from_url(server.url, decode_responses=True) as plain:
        soon(lambda: len(fields(plain, id_).get("milestones", ())) == 20, "Redis has them")
    soon(lambda: (told := desk.engine())["state"] == "ok" and told["lag"] == 0, "all is well")


def test_a_daemon_that_is_killed_leaves_nothing_out(hosts: tuple[Host, Host], server: Redis) -> None:
    desk = hosts[0]
    with redis.Redis.from_url(server.url, decode_responses=True) as plain:
        for number in range(5):
            desk("milestone", f"step {number}")
            pid = desk.cli.data("daemon", "status")["pid"]
            subprocess.run(["kill", "-9", str(pid)], check=True)
        desk("intent", "after")
        id_ = desk.cli.data("intent", cwd=desk.app)["context"]["id"]
        soon(lambda: plain.get(f"intent:{id_}") == "after", "Redis has it")
        texts = [each["text"] for each in fields(plain, id_)["milestones"]]
        assert texts == [f"step {number}" for number in (4, 3, 2, 1, 0)]


def test_without_a_url_nothing_of_it_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from zdriver.daemon.wiring import assemble; made = assemble(); made.start();"
        "print(*sorted({'redis', 'psycopg', 'pika', 'zdriver.hot.model'} & set(sys.modules)));"
        "print(made.engines); made.stop()"
    )
    with Home() as home:
        done = subprocess.run(
            [sys.executable, "-c", code], env=home.env, capture_output=True, text=True, check=True
        )
    assert done.stdout == "\n[]\n"
