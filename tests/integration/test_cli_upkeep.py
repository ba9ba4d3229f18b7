"""`zdriver daemon`, `config`, `doctor`, completion; how a damaged store and a missing snapshot are told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.integration.commands import Cli, in_terminal
from zdriver.core import paths, platform
from zdriver.testing import Home


def test_a_damaged_store_is_told_by_the_command_that_meets_it_once(home: Home, cli: Cli) -> None:
    cli("intent", "kept")
    cli("daemon", "stop")
    home.database.write_bytes(b"no database" * 1000)
    assert cli.data("intent") is None or cli.data("intent")["text"] == "kept"  # by the backup
    assert cli("daemon", "status").stderr.count("! the store was damaged") == 1
    told = cli("intent")
    assert told.stderr.startswith("! the store was damaged")
    (kept,) = home.database.parent.glob("zdriver.db.damaged-*")
    assert f"the damaged file is kept as {kept}" in told.stderr
    assert "! " not in cli("intent").stderr
    assert "! the store was damaged" in cli("daemon", "status").stderr


def test_a_daemon_that_hangs_is_told_from_none_and_stopped(cli: Cli) -> None:
    cli("intent", "kept")
    pid = cli.data("daemon", "status")["pid"]
    os.kill(pid, signal.SIGSTOP)
    looked = cli("daemon", "status")
    assert looked.returncode == 5
    assert "did not answer" in looked.stderr
    stopped = cli.data("daemon", "stop")
    assert stopped == {"pid": pid, "killed": True}
    assert platform.process(pid) is None
    assert cli("daemon", "stop").stderr == "the daemon is not running\n"
    assert cli("intent").stdout == "kept\n"


def test_the_daemon_is_started_looked_at_and_stopped(cli: Cli) -> None:
    assert cli.refused("daemon", "status") == (5, "unavailable")
    assert "not running" in cli("daemon", "stop").stderr
    pid = cli.data("daemon", "start")["pid"]
    assert cli.data("daemon", "status")["pid"] == pid
    assert f"{pid}, since" in cli("daemon", "status").stdout
    assert cli("daemon", "stop").returncode == 0
    assert platform.process(pid) is None


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["snapshot", "show"], 3),
        (["snapshot", "show", "99"], 3),
        (["snapshot", "diff", "1", "2"], 3),
        (["snapshot", "pin", "7"], 3),
        (["snapshot", "save"], 2),
        (["restore", "99"], 2),
        (["restore", "99", "--dry-run"], 3),
        (["restore", "--undo"], 2),
    ],
)
def test_snapshots_that_are_not_there(words: list[str], code: int, cli: Cli) -> None:
    assert cli.refused(*words)[0] == code
    assert cli.data("snapshot", "list") == []


def test_the_configuration_is_shown_with_where_it_comes_from(home: Home, cli: Cli) -> None:
    file = Path(cli("config", "path").stdout.strip())
    assert file == home.path / ".config" / "zdriver" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[capture]\nscrollback_lines = 100\n")
    shown = {s["name"]: s for s in cli.data("config", "show", ZDRIVER_RESTORE_MODE="ask")["settings"]}
    assert shown["restore.mode"]["value"] == "ask"
    assert shown["restore.mode"]["origin"] == "$ZDRIVER_RESTORE_MODE"
    assert shown["capture.scrollback_lines"]["origin"] == str(file)
    file.write_text("[capture]\nscrollback = 100\n")
    assert cli.refused("config", "show") == (2, "invalid_input")
    assert "config.toml, line 2: capture.scrollback is no setting" in cli("config", "show").stderr


def test_an_edited_configuration_is_kept_only_when_it_is_right(home: Home, cli: Cli) -> None:
    editor = home.path / "editor"
    editor.write_text(
        "#!/bin/sh\n"
        'if [ -e wrong-before ]; then sed -i "s/maybe/ask/" "$1"\n'
        'else touch wrong-before; printf "[restore]\\nmode = \\"maybe\\"\\n" > "$1"; fi\n'
    )
    editor.chmod(0o755)
    with in_terminal(home, "config", "edit", EDITOR=str(editor)) as terminal:
        terminal.wait_for("Edit again?")
        assert 'restore.mode is "maybe"; allowed' in terminal.screen()
        assert not paths.config_file().exists()
        terminal.write("y\r")
        terminal.wait_for("code=0")
    assert paths.config_file().read_text() == '[restore]\nmode = "ask"\n'


def test_the_doctor_finds_what_is_wrong_and_mends_it(home: Home, cli: Cli) -> None:
    cli.data("daemon", "start")
    healthy = cli.data("doctor")
    assert healthy["ok"] is True
    states = {check["name"]: check["state"] for check in healthy["checks"]}
    assert states["daemon"] == states["store"] == states["sockets"] == "ok"
    assert states["config.kdl"] == "warn", "zdriver is not in Zellij yet"
    assert cli("setup", "zellij", "--yes").returncode == 0
    home.plugin.write_bytes(b"old")
    home.permissions.unlink()
    done = cli("doctor", "--json")
    assert done.returncode == 1
    checks = json.loads(done.stdout)["data"]["checks"]
    assert {c["name"] for c in checks if c["state"] != "ok"} == {"plugin", "permissions"}
    assert all(c["hint"] for c in checks if c["state"] != "ok")
    assert cli("doctor", "--fix").returncode == 0
    assert cli.data("doctor")["ok"] is True


def test_the_doctor_says_that_a_store_is_too_new(home: Home, cli: Cli) -> None:
    cli("intent", "kept")
    cli("daemon", "stop")
    with contextlib.closing(sqlite3.connect(home.database)) as store, store:
        store.execute("UPDATE meta SET value = '99' WHERE key IN ('schema', 'min_compatible')")
    assert cli.refused("intent") == (5, "store_too_new")
    checks = json.loads(cli("doctor", "--json").stdout)["data"]["checks"]
    (store_check,) = [check for check in checks if check["name"] == "store"]
    assert store_check["state"] == "fail"
    assert "newer zdriver" in store_check["message"]
    assert store_check["hint"].startswith("upgrade zdriver")


def test_a_report_has_no_secrets_and_no_names(home: Home, cli: Cli) -> None:
    token = "ghp_" + "a1B2" * 9
    done = cli("doctor", "--report", ZDRIVER_RESTORE_TOKEN=token, USER="adalovelace")
    assert "### checks" in done.stdout
    assert token not in done.stdout
    assert str(home.path) not in done.stdout
    assert "adalovelace" not in done.stdout


def complete(cli: Cli, *words: str) -> list[str]:
    asked = cli(_ZDRIVER_COMPLETE="bash_complete", COMP_WORDS=" ".join(words), COMP_CWORD=str(len(words) - 1))
    return asked.stdout.split()


def test_ids_are_completed_while_the_daemon_runs(home: Home, cli: Cli) -> None:
    assert complete(cli, "zdriver", "forget", "''") == []
    assert home.running() == [], "completion starts no daemon"
    entry = cli.data("intent", "Complete me")
    assert complete(cli, "zdriver", "forget", "''") == [f"plain,{entry['id'][-8:]}"]
    assert complete(cli, "zdriver", "intent", "--context", "''") == [f"plain,{entry['context']['id'][-8:]}"]
    assert "plain,milestone" in complete(cli, "zdriver", "mile")
