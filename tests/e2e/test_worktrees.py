"""Worktrees inside Zellij: the status line, the menu's `g` and `b`, `--tab`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.daemon import ask, wait_connected
from tests.e2e.harness import Cli, Opened, Zellij
from zdriver.testing import Home, processes, until
from zdriver.zellij.setup import layout_text

HOOK = """\
[hooks]
post-create = "pwd > hooked"
"""


@pytest.fixture
def trunk(home: Home) -> Path:
    """A repository in a container, and zdriver's layouts where `setup zellij` puts them."""
    made = home.path / "code" / "trunk-app"
    made.mkdir(parents=True)
    (made / ".zdriver.toml").write_text(HOOK)
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run(["git", *words], cwd=made, env=home.env, check=True, capture_output=True)
    layouts = home.config.parent / "layouts"
    layouts.mkdir(parents=True)
    for name in ("zdriver", "zdriver-agent"):
        (layouts / f"{name}.kdl").write_text(layout_text(name))
    return made


def opened_in(zellij: Zellij, home: Home, folder: Path, *, columns: int) -> Opened:
    opened = zellij.start("work", cwd=folder, layout="zdriver", columns=columns, rows=32)
    wait_connected(home, "work")
    opened.window.wait_for("no intent")
    return opened


def wait_in(opened: Opened, tab: str, folder: Path) -> None:
    """Wait until this tab is shown, and its focused shell stands in `folder`."""

    def there() -> bool:
        panes = [pane for pane in opened.panes() if pane.tab == tab and pane.focused]
        return [pane.cwd for pane in panes] == [str(folder)] and opened.active_tab() == tab

    until(there, what=f"tab {tab} with a shell in {folder}", shows=opened.screen)


def menu(opened: Opened, letter: str, shows: str) -> None:
    opened.keys("M-m")
    opened.window.wait_for("branch off a new worktree")
    opened.type(letter)
    opened.window.wait_for(shows)


def wait_status(opened: Opened, *parts: str, without: str = "\0") -> str:
    """Wait until the line below the tab bar says all of this, and nothing of `without`."""

    def line(screen: str) -> str:
        return screen.splitlines()[1] if screen.count("\n") else ""

    def wanted(screen: str) -> bool:
        return all(part in line(screen) for part in parts) and without not in line(screen)

    return line(opened.window.wait_for(wanted))


def test_the_status_line_follows_worktree_and_claim(
    home: Home, zellij: Zellij, zdriver: Cli, trunk: Path
) -> None:
    opened = opened_in(zellij, home, trunk, columns=120)
    opened.line("zdriver feat user-auth --tab --no-hooks")
    feature = trunk.with_name("feat-user-auth")
    wait_in(opened, "feat-user-auth", feature)
    wait_status(opened, "feat-user-auth · no intent")
    claim = zdriver.data("claim", "feat-user-auth", "--agent", "claude-1", cwd=trunk)
    wait_status(opened, "feat-user-auth · held by claude-1 until ", " · no intent")
    opened.line("zdriver intent Refactor database layer; zdriver milestone Extracted models")
    said = wait_status(opened, "Refactor database layer · Extracted models · now")
    assert said.startswith(" feat-user-auth · held by claude-1 until ")
    opened.window.resize(80, 30)
    wait_status(opened, " feat-user-auth · held by claude-1 · Refactor ", without="until")
    assert zdriver("release", "feat-user-auth", "--agent", "claude-1", cwd=trunk).returncode == 0
    wait_status(opened, "feat-user-auth · Refactor", without="held")
    assert claim["token"] == 1
    # Killed under its hands, the daemon is started by the command, which waits for the plugin.
    pid = ask(home, "daemon.status")["pid"]
    processes.kill(pid)
    until(lambda: not processes.alive(pid), what="the daemon to end")
    # One tab each: gone to, not made again. What is said in one worktree is not of the other.
    opened.line("zdriver go trunk --tab")
    wait_in(opened, "Tab #1", trunk)
    wait_status(opened, "trunk-app · no intent")
    opened.line("zdriver go user-auth --tab")
    wait_in(opened, "feat-user-auth", feature)
    assert [tab["name"] for tab in opened.tabs()] == ["Tab #1", "feat-user-auth"]
    lines = {line["worktree"]["name"]: line for line in zdriver.data("worktree", "list", cwd=trunk)}
    assert lines["feat-user-auth"]["intent"] == "Refactor database layer"
    assert lines["trunk-app"]["intent"] == ""


def test_g_goes_to_the_tab_of_a_worktree(home: Home, zellij: Zellij, zdriver: Cli, trunk: Path) -> None:
    opened = opened_in(zellij, home, trunk, columns=80)
    feature = Path(zdriver.data("feat", "user-auth", "--no-hooks", cwd=trunk)["worktree"]["path"])
    zdriver.data("fix", "登录", "--no-hooks", cwd=trunk)
    zdriver.data("claim", "fix-登录", "--agent", "claude-1", cwd=trunk)
    menu(opened, "g", "feat-user-auth")
    screen = opened.window.wait_for("claude-1")
    assert "> * trunk-app" in screen
    opened.type("user")
    opened.window.wait_for(lambda screen: "claude-1" not in screen)
    opened.keys("Enter")
    wait_in(opened, "feat-user-auth", feature)
    menu(opened, "g", "* feat-user-auth")
    opened.keys("Enter")
    wait_in(opened, "Tab #1", trunk)
    # By where its panes stand, so also when its tab has another name by now.
    opened.action("rename-tab-by-id", str(opened.tabs()[1]["tab_id"]), "login")
    menu(opened, "g", "feat-user-auth")
    opened.keys("Down", "Enter")
    wait_in(opened, "login", feature)
    assert len(opened.tabs()) == 2


def test_b_makes_a_worktree_and_its_tab_where_the_hook_asks(
    home: Home, zellij: Zellij, zdriver: Cli, trunk: Path
) -> None:
    taken = trunk.with_name("feat-taken")
    taken.mkdir()
    (taken / "file").touch()
    opened = opened_in(zellij, home, trunk, columns=120)
    menu(opened, "b", "types: feat, fix")
    opened.line("review 12")
    opened.window.wait_for("zdriver review PR fetches it")
    opened.keys("C-u")
    opened.line("feat taken")
    screen = opened.window.wait_for("feat-taken")
    assert "> feat taken" in screen, "what was typed stays"
    opened.keys("C-u")
    opened.line("feat 日本 café")
    made = trunk.with_name("feat-日本-café")
    wait_in(opened, "feat-日本-café", made)
    # The plugin has no terminal for a hook: the tab's first shell asks.
    opened.window.wait_for("pwd > hooked")
    opened.window.wait_for("[y/N]")
    assert not (made / "hooked").exists()
    opened.line("y")
    until((made / "hooked").exists, what="the hook to have run", shows=opened.screen)
    listed = {
        line["worktree"]["name"]: line["worktree"] for line in zdriver.data("worktree", "list", cwd=trunk)
    }
    assert listed["feat-日本-café"]["path"] == str(made)
    assert listed["feat-日本-café"]["agent"] == f"human:{home.env['USER']}"


def test_outside_of_zellij_tab_is_refused_before_anything_is_made(
    home: Home, zdriver: Cli, trunk: Path
) -> None:
    done = zdriver("feat", "x", "--tab", "--json", cwd=trunk)
    assert done.returncode == 2
    assert "this shell is in none" in json.loads(done.stdout)["error"]["message"]
    assert sorted(path.name for path in trunk.parent.iterdir()) == ["trunk-app"]
