"""Work left on one machine goes on at another: two homes, each with its Zellij and daemon, and one Redis."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.e2e.daemon import ask, commands, wait_connected, wait_recorded
from tests.e2e.harness import Zellij
from tests.e2e.terminal import Tmux
from zdriver.core.ids import new_id
from zdriver.testing import Home, until
from zdriver.testing.servers import Redis, scratch


@pytest.fixture
def server() -> Iterator[Redis]:
    with scratch("redis-own") as folder, Redis(folder) as made:
        yield made


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    first, made = tmp_path / "first", tmp_path / "app.git"
    first.mkdir()
    (first / "README").write_text("An app.\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *who, *words], cwd=first, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(first), str(made)], check=True)
    return made


def joined(home: Home, server: Redis, bare: Path, folder: str) -> Path:
    """The checkout on a machine that uses this Redis."""
    state = Path(home.env["XDG_STATE_HOME"]) / "zdriver"
    state.mkdir(parents=True, mode=0o700)
    (state / "host").write_text(f"{new_id()}\n")
    config = Path(home.env["XDG_CONFIG_HOME"]) / "zdriver" / "config.toml"
    config.parent.mkdir(parents=True)
    # Who is asked in 50 ms and does not answer has nothing to offer; here it is busy with other tests.
    config.write_text(f'[context]\nurl = "{server.url}"\ntimeout_ms = 5000\n')
    checkout = home.path / folder
    subprocess.run(["git", "clone", "-q", str(bare), str(checkout)], check=True, capture_output=True)
    return checkout


def leave(home: Home, zellij: Zellij, server: Redis, project: Path) -> None:
    """Two panes, one of which runs something, and an intent; all of it in Redis."""
    opened = zellij.start("work", cwd=project)
    wait_connected(home, "work")
    opened.action("new-pane", "--direction", "right")
    opened.wait_panes(2)
    tail = ["tail", "-f", f"{project}/README", "/dev/null"]
    opened.line(" ".join(tail))
    opened.wait_running(*tail)
    wait_recorded(home, "work", lambda panes: commands(panes) == [[], tail])
    where = {"cwd": str(project), "zellij_session": "work"}
    ask(home, "context.set_intent", text="Refactor database layer", place=where)
    with redis.Redis.from_url(server.url, decode_responses=True) as plain:

        def there() -> bool:
            found = [plain.hgetall(key) for key in plain.keys("session:*")]
            return any("README" in each["panes"] and each["intent"] for each in found)

        until(there, what="it is in Redis")


def intent(home: Home, project: Path, session: str) -> tuple[str, str]:
    """Its text, and the Zellij session that it is of."""
    found = ask(home, "context.intent", place={"cwd": str(project), "zellij_session": session})
    return found["text"], found["context"]["zellij_session"]


@pytest.fixture
def laptop() -> Iterator[Home]:
    with Home() as made:
        made.write_config()
        yield made


@pytest.fixture
def there(laptop: Home) -> Iterator[Zellij]:
    """Zellij on the laptop."""
    tmux = Tmux(laptop)
    yield Zellij(laptop, tmux)
    tmux.stop()


def test_what_was_left_is_offered_with_the_paths_of_here(
    home: Home, zellij: Zellij, laptop: Home, there: Zellij, server: Redis, bare: Path
) -> None:
    leave(home, zellij, server, joined(home, server, bare, "code/app"))
    here = joined(laptop, server, bare, "app")
    opened = there.start("mobile", cwd=here)
    opened.window.wait_for("Welcome back: Refactor database layer", deadline=40)
    opened.window.wait_for("Enter restore", deadline=40)
    assert len(opened.panes()) == 1
    assert intent(laptop, here, "mobile") == ("Refactor database layer", "mobile")
    opened.take_offer()
    opened.wait_running("tail", "-f", f"{here}/README", "/dev/null")
    shell, tailing = opened.wait_panes(2)
    assert (shell.cwd, tailing.cwd) == (str(here), str(here))


def test_what_was_left_is_restored_by_hand_where_zellij_was_open_already(
    home: Home, zellij: Zellij, laptop: Home, there: Zellij, server: Redis, bare: Path
) -> None:
    here = joined(laptop, server, bare, "app")
    opened = there.start("mobile", cwd=here)
    wait_connected(laptop, "mobile")
    leave(home, zellij, server, joined(home, server, bare, "code/app"))
    place = {"cwd": str(here), "zellij_session": "mobile"}
    plan = ask(laptop, "restore.plan", place=place)
    assert (plan["generation"], plan["zellij_session"].startswith("work@")) == (0, True)
    assert [pane["cwd"] for pane in plan["panes"]] == [str(here), str(here)]
    sessions = {each["zellij_session"] for each in ask(laptop, "snapshot.list")}
    assert sessions <= {"mobile"}  # a plan writes nothing
    ask(laptop, "restore.apply", place=place)
    opened.wait_running("tail", "-f", f"{here}/README", "/dev/null")
    opened.wait_panes(3)
    assert intent(laptop, here, "mobile") == ("Refactor database layer", "mobile")
