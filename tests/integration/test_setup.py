"""`zdriver setup` on the files of a real Zellij, which then loads the plugin and has the keys."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import zdriver
from tests.integration.commands import Cli
from tests.integration.daemons import program
from zdriver.core.errors import Conflict, ZdriverError
from zdriver.testing import Home, Terminal, until
from zdriver.zellij import files, permissions
from zdriver.zellij.kdlscan import scan

ALT_M = "\x1bm"
CTRL_G, CTRL_O, ESCAPE = "\x07", "\x0f", "\x1b"
MENU, PROMPT = "intent: what this is for", "Intent: what is this for?"
QUIET = "show_startup_tips false\nshow_release_notes false\n"
REPOSITORY = Path(__file__).parents[2]


@contextmanager
def zellij(home: Home, name: str) -> Iterator[Terminal]:
    """A Zellij in a terminal, up to its bars; it is ended, not detached, at the end."""
    with Terminal([home.zellij, "-s", name], env=home.env, cwd=home.path) as terminal:
        terminal.wait_for(lambda screen: f"({name})" in screen and "Tab #1" in screen, deadline=30)
        yield terminal
        subprocess.run(
            [home.zellij, "kill-session", name],
            env=home.env,
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=20,
        )
        terminal.wait_ended()


def end_session(home: Home, name: str) -> None:
    kill = [home.zellij, "kill-session", name]
    subprocess.run(kill, env=home.env, stdin=subprocess.DEVNULL, check=True, timeout=20)


def connected(name: str) -> None:
    """Wait until the plugin has its permissions and its bridge."""

    def asked() -> bool:
        try:
            with zdriver.connect(start=False) as driver:
                return name in driver.call("bridge.sessions", tuple[str, ...])
        except ZdriverError:
            return False

    until(asked, what="the plugin to be connected", deadline=30)


def menu_comes_up(terminal: Terminal, name: str) -> None:
    connected(name)
    terminal.write(ALT_M)
    terminal.wait_for(MENU)
    terminal.write(ESCAPE)
    terminal.wait_for(lambda screen: MENU not in screen)


def checked(home: Home) -> str:
    """What Zellij itself thinks of the file."""
    done = subprocess.run(
        [home.zellij, "setup", "--check"],
        env=home.env,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout


def first_run(home: Home, answer: str) -> None:
    """Let Zellij write its own file, and answer its wizard."""
    with zellij(home, "wizard") as terminal:
        terminal.wait_for("First Run Setup Wizard", deadline=30)
        terminal.write(answer)
        terminal.wait_for(lambda screen: "First Run Setup Wizard" not in screen)
        until(home.config.exists, what="Zellij's configuration")


# -- the five files of the issue -----------------------------------------------------------


def test_no_file_yet(home: Home, cli: Cli) -> None:
    done = cli("setup", "zellij", "--yes")
    assert done.returncode == 0, done.stderr
    assert "[CONFIG FILE]: Well defined." in checked(home)
    with zellij(home, "fresh") as terminal:
        menu_comes_up(terminal, "fresh")
        assert "permission" not in terminal.screen().lower()
    assert cli("setup", "undo", "--yes").returncode == 0
    assert not home.config.exists()


def test_the_file_of_a_first_run(home: Home, cli: Cli) -> None:
    first_run(home, "\r")
    before = home.config.read_text()
    assert cli("setup", "zellij", "--yes").returncode == 0
    loaded = next(node for node in scan(home.config.read_text()) if node.name == "load_plugins")
    assert [node.name for node in loaded.children] == ["zellij:link", "zdriver"]
    with zellij(home, "later") as terminal:
        menu_comes_up(terminal, "later")
    assert cli("setup", "undo", "--yes").returncode == 0
    assert home.config.read_text() == before


def test_unlock_first(home: Home, cli: Cli) -> None:
    first_run(home, "\x1b[B\r")
    before = home.config.read_text()
    assert re.search(r'^default_mode "locked"', before, re.MULTILINE)
    done = cli("setup", "zellij", "--yes")
    assert done.returncode == 0
    assert "m in session mode is yours (SwitchToMode), so zdriver's milestone is not on it" in done.stderr
    with zellij(home, "locked") as terminal:
        menu_comes_up(terminal, "locked")
        terminal.write(CTRL_G)
        terminal.wait_for("PANE")
        terminal.write("o")
        terminal.wait_for(lambda screen: "Detach" in screen or "DETACH" in screen)
        terminal.write("i")
        terminal.wait_for(PROMPT)
    assert cli("setup", "undo", "--yes").returncode == 0
    assert home.config.read_text() == before


def test_a_linked_file_is_written_through(home: Home, cli: Cli) -> None:
    dotfiles = home.path / "dotfiles"
    dotfiles.mkdir()
    real = dotfiles / "zellij.kdl"
    real.write_text(QUIET)
    real.chmod(0o600)
    home.config.parent.mkdir(parents=True)
    home.config.symlink_to("../../dotfiles/zellij.kdl")
    assert cli("setup", "zellij", "--yes").returncode == 0
    assert home.config.is_symlink()
    assert real.read_text().startswith(QUIET)
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert [file.name for file in dotfiles.iterdir()] == ["zellij.kdl"], "the backup lies beside the link"
    with zellij(home, "linked") as terminal:
        menu_comes_up(terminal, "linked")
    assert cli("setup", "undo", "--yes").returncode == 0
    assert real.read_text() == QUIET
    assert home.config.is_symlink()


def test_a_read_only_file_gets_its_lines_printed(home: Home, cli: Cli) -> None:
    home.config.parent.mkdir(parents=True)
    home.config.write_text(QUIET)
    home.config.chmod(0o444)
    done = cli("setup", "zellij", "--yes")
    assert done.returncode == 5
    assert "is read-only" in done.stderr
    assert home.config.read_text() == QUIET
    snippet = cli("setup", "zellij", "--print").stdout
    assert snippet in done.stdout
    as_json = json.loads(cli("setup", "zellij", "--yes", "--json").stdout)
    assert as_json["error"]["code"] == "unavailable"
    home.config.chmod(0o644)
    home.config.write_text(QUIET + snippet)
    home.config.chmod(0o444)
    assert "nothing to do" in cli("setup", "zellij", "--yes").stdout
    with zellij(home, "byhand") as terminal:
        menu_comes_up(terminal, "byhand")
    assert cli("setup", "undo", "--yes").returncode == 5
    assert home.plugin.exists(), "while Zellij loads it, it can say what is wrong"


# -- the rest ------------------------------------------------------------------------------


def test_twice_changes_nothing_and_undo_leaves_no_trace(home: Home, cli: Cli) -> None:
    home.config.parent.mkdir(parents=True)
    home.config.write_text(QUIET)
    other = home.permissions
    other.parent.mkdir(parents=True)
    other.write_text('"/other.wasm" {\n    RunCommands\n}\n')

    def tree() -> dict[str, bytes]:
        folders = (home.config.parent, other.parent, home.plugin.parent)
        return {str(file): file.read_bytes() for top in folders for file in top.rglob("*") if file.is_file()}

    before = tree()
    assert json.loads(cli("setup", "zellij", "--yes", "--json").stdout)["data"]["changed"] is True
    after = tree()
    assert json.loads(cli("setup", "zellij", "--yes", "--json").stdout)["data"]["changed"] is False
    assert tree() == after
    assert '"/other.wasm"' in other.read_text()
    undone = json.loads(cli("setup", "undo", "--yes", "--json").stdout)["data"]
    left = tree()
    backups = {path: content for path, content in left.items() if "zdriver-backup" in path}
    assert undone["backup"] in backups
    assert QUIET.encode() in backups.values()
    assert {path: left[path] for path in left if path not in backups} == before


def test_what_zellij_saves_itself_can_be_mended_and_undone(home: Home, cli: Cli) -> None:
    """Another preset chosen in Zellij's own screen drops our keys, but not the plugin."""
    home.config.parent.mkdir(parents=True)
    home.config.write_text(QUIET)
    assert cli("setup", "zellij", "--yes").returncode == 0
    with zellij(home, "saves") as terminal:
        connected("saves")
        terminal.write(CTRL_O)
        terminal.wait_for(lambda screen: "Detach" in screen or "DETACH" in screen)
        terminal.write("c")
        terminal.wait_for("Rebind leader keys")
        terminal.write("\t")
        terminal.wait_for("Override keybindings")
        terminal.write("\x1b[B")
        terminal.wait_for("Unlock First")
        terminal.write("\x01")
        terminal.wait_for("saved to disk")
    assert 'name "menu"' not in home.config.read_text()
    found = json.loads(cli("doctor", "--json").stdout)["data"]
    assert [c["name"] for c in found["checks"] if c["state"] == "fail"] == ["config.kdl"]
    assert cli("doctor", "--fix").returncode == 0
    with zellij(home, "mended") as terminal:
        menu_comes_up(terminal, "mended")
    assert cli("setup", "undo", "--yes").returncode == 0
    assert "zdriver" not in home.config.read_text()
    assert "Well defined" in checked(home)


def test_the_layouts_load_and_show_the_line(home: Home, cli: Cli) -> None:
    home.config.parent.mkdir(parents=True)
    home.config.write_text(QUIET)
    settings = home.path / ".config" / "zdriver" / "config.toml"
    settings.parent.mkdir()
    settings.write_text('[restore]\nmode = "off"\n')  # no offer of the layout before over this one
    assert cli("setup", "zellij", "--yes").returncode == 0
    for layout, pane in (("zdriver", ""), ("zdriver-agent", "changes"), ("zdriver-review", "tests")):
        argv = [home.zellij, "-s", layout, "-n", layout]
        with Terminal(argv, env=home.env, cwd=home.path) as terminal:
            terminal.wait_for(lambda screen: "no intent" in screen and "LOCK" in screen, deadline=30)
            terminal.wait_for(pane)
            end_session(home, layout)
            terminal.wait_ended()


def test_undo_warns_of_a_default_layout_that_goes(home: Home, cli: Cli) -> None:
    home.config.parent.mkdir(parents=True)
    home.config.write_text('default_layout "zdriver"\n')
    assert cli("setup", "zellij", "--yes").returncode == 0
    assert "take that line out" in cli("setup", "undo", "--yes").stderr


def test_a_layout_of_the_users_own_is_left_alone(home: Home, cli: Cli) -> None:
    own = home.config.parent / "layouts" / "zdriver.kdl"
    own.parent.mkdir(parents=True)
    own.write_text("layout {\n    pane\n}\n")
    done = cli("setup", "zellij", "--yes")
    assert done.returncode == 0
    assert "zdriver.kdl is your own: left as it is" in done.stderr
    assert own.read_text() == "layout {\n    pane\n}\n"
    assert cli("setup", "undo", "--yes").returncode == 0
    assert own.exists()
    assert [file.name for file in own.parent.iterdir()] == ["zdriver.kdl"]


def test_a_dry_run_and_a_print_change_nothing(home: Home, cli: Cli) -> None:
    dry = cli("setup", "zellij", "--dry-run")
    assert dry.returncode == 0
    assert "+load_plugins {" in dry.stdout
    assert cli("setup", "zellij", "--print").stdout.startswith("plugins {")
    asked = cli("setup", "zellij")
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert not home.config.exists()
    assert not home.plugin.exists()


def test_it_asks_once_and_takes_no_for_an_answer(home: Home, cli: Cli) -> None:
    with Terminal([*program(), "setup", "zellij"], env=home.env, cwd=home.path) as terminal:
        screen = terminal.wait_for("Set up Zellij like this?")
        for permission in permissions.needed():
            assert permission.name in screen
            assert permission.why in screen
        terminal.write("n\r")
        terminal.wait_ended()
    assert not home.config.exists()


def test_a_broken_file_is_left_as_it_is(home: Home, cli: Cli) -> None:
    home.config.parent.mkdir(parents=True)
    home.config.write_text("keybinds {\n")
    done = cli("setup", "zellij", "--yes")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert home.config.read_text() == "keybinds {\n"
    assert not home.plugin.exists()


def test_named_folders_and_files_of_zellijs(home: Home, cli: Cli, tmp_path: Path) -> None:
    home.env["ZELLIJ_CONFIG_DIR"] = str(tmp_path / "conf")
    assert cli("setup", "zellij", "--yes").returncode == 0
    assert (tmp_path / "conf" / "config.kdl").exists()
    assert (tmp_path / "conf" / "layouts" / "zdriver.kdl").exists()
    home.env["ZELLIJ_CONFIG_FILE"] = str(tmp_path / "own.kdl")
    assert cli("setup", "zellij", "--yes").returncode == 0
    assert (tmp_path / "own.kdl").exists()


def test_the_plugin_asks_for_what_setup_grants() -> None:
    """Zellij writes a grant anew with just what was asked: one more or one less is asked for again."""
    sources = (REPOSITORY / "zellij-plugin").rglob("*.rs")
    asked = {name for file in sources for name in re.findall(r"PermissionType::(\w+)", file.read_text())}
    assert asked == {permission.name for permission in permissions.needed()}


# -- files ---------------------------------------------------------------------------------


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "config.kdl"
    file.write_text("new")
    with pytest.raises(Conflict):
        files.replace(file, b"ours", expected=b"old")
    assert file.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["config.kdl"]


def test_a_damaged_grant_file_is_written_anew() -> None:
    text = permissions.grant('"/x" {', "/a/zdriver.wasm", ("RunCommands",))
    assert permissions.granted(text, "/a/zdriver.wasm") == {"RunCommands"}


def test_a_grant_is_added_to_what_is_there() -> None:
    text = '"/b.wasm" {\n    RunCommands\n}\n"/a.wasm" {\n    ReadCliPipes\n}\n'
    new = permissions.grant(text, "/a.wasm", ("RunCommands",))
    assert permissions.granted(new, "/a.wasm") == {"RunCommands", "ReadCliPipes"}
    assert permissions.granted(new, "/b.wasm") == {"RunCommands"}
    assert permissions.revoke(new, "/a.wasm") == '"/b.wasm" {\n    RunCommands\n}\n'


def test_it_says_what_comes_next(home: Home, cli: Cli) -> None:
    done = cli("setup", "zellij", "--yes")
    assert "next: open `zellij`" in done.stderr
    assert 'put `default_layout "zdriver"` into ~/.config/zellij/config.kdl' in done.stderr
    assert cli("setup", "zellij", "--yes").stderr == ""
    assert cli("setup", "undo", "--dry-run").stdout.count("(without zdriver)") == 1
    assert cli("setup", "undo", "--yes").returncode == 0
    home.config.write_text('default_layout "zdriver-agent"\n')
    done = cli("setup", "zellij", "--yes")
    assert "next: open `zellij`" in done.stderr
    assert "put `default_layout" not in done.stderr
