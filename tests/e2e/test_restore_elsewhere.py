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
    config.write_text(f'[context]\nurl = "{server.url}"\n')
    checkout = home.path / folder
    subprocess.run(["git", "clone", "-q", str(bare), str(checkout)], check=True, capture_output=True)
    return checkout


def test_what_was_left_is_offered_with_the_paths_of_here(
    home: Home, zellij: Zellij, server: Redis, bare: Path
) -> None:
    project = joined(home, server, bare, "code/app")
    opened = zellij.start("work", cwd=project)
    wait_connected(home, "work")
    opened.action("new-pane", "--direction", "right")
    opened.wait_panes(2)
    opened.line(f"tail -f {project}/README /dev/null")
    tail = ["tail", "-f", f"{project}/README", "/dev/null"]
    opened.wait_running(*tail)
    wait_recorded(home, "work", lambda panes: commands(panes) == [[], tail])
    ask(
        home,
        "context.set_intent",
        text="Refactor database layer",
        place={"cwd": str(project), "zellij_session": "work"},
    )
    with redis.Redis.from_url(server.url, decode_responses=True) as plain:

        def there() -> bool:
            found = [plain.hgetall(key) for key in plain.keys("session:*")]
            return any("README" in each["panes"] and each["intent"] for each in found)

        until(there, what="it is in Redis")

    with Home() as laptop:
        laptop.write_config()
        here = joined(laptop, server, bare, "app")
        tmux = Tmux(laptop)
        try:
            other = Zellij(laptop, tmux).start("mobile", cwd=here)
            other.window.wait_for("Welcome back: Refactor database layer")
            other.window.wait_for("Enter restore")
            assert len(other.panes()) == 1
            other.keys("Enter")
            other.wait_running("tail", "-f", f"{here}/README", "/dev/null")
            shell, tailing = other.wait_panes(2)
            assert (shell.cwd, tailing.cwd) == (str(here), str(here))
            intent = ask(laptop, "context.intent", place={"cwd": str(here), "zellij_session": "mobile"})
            assert intent["text"] == "Refactor database layer"
            assert intent["context"]["zellij_session"] == "mobile"
        finally:
            tmux.stop()
