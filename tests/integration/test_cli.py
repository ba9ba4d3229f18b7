"""The `zdriver` program with its daemon, as a user and a script see it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zdriver
from tests.integration.daemons import program
from zdriver.context.model import Place
from zdriver.core import paths, platform
from zdriver.testing import Home, Terminal

INTENT_FIELDS = {"id", "text", "source", "set_at", "context"}
MILESTONE_FIELDS = {"id", "text", "kind", "artifacts", "commit", "recorded_at", "intent_id"}


class Cli:
    def __init__(self, home: Home) -> None:
        self.home = home

    def __call__(
        self, *words: str, stdin: str = "", cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program(), *words],
            env={**self.home.env, **env},
            cwd=cwd or self.home.path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def data(self, *words: str, **more: Any) -> Any:
        done = self(*words, "--json", **more)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        (line,) = done.stdout.splitlines()
        envelope = json.loads(line)
        assert (envelope["v"], envelope["ok"]) == (1, True)
        return envelope["data"]

    def refused(self, *words: str, **more: Any) -> tuple[int, str]:
        """Exit code and code of the error; both ways to print it are one message and one hint."""
        plain, as_json = self(*words, **more), self(*words, "--json", **more)
        assert plain.returncode == as_json.returncode
        assert plain.stdout == ""
        assert as_json.stderr == ""
        lines = plain.stderr.splitlines()
        error = json.loads(as_json.stdout)["error"]
        assert lines[0] == f"error: {error['message']}"
        assert lines[1:] == ([f"hint:  {error['hint']}"] if error["hint"] else [])
        return as_json.returncode, error["code"]


@pytest.fixture
def cli(home: Home) -> Cli:
    return Cli(home)


def in_terminal(home: Home, *words: str, **env: str) -> Terminal:
    """The command in a terminal; its exit code is shown when it has ended."""
    script = '"$@"; echo "code=$?"; read -r _'
    argv = ["/bin/bash", "-c", script, "bash", *program(), *words]
    return Terminal(argv, env={**home.env, **env}, cwd=home.path)


# -- intent and milestone ------------------------------------------------------------------


def test_an_intent_is_set_shown_and_cleared(home: Home, cli: Cli) -> None:
    none = cli("intent")
    assert (none.returncode, none.stdout) == (0, "")
    assert "no intent here yet" in none.stderr
    assert cli.data("intent") is None
    new = cli.data("intent", "Refactor", "database layer")
    assert new.keys() >= INTENT_FIELDS
    assert new["context"].keys() >= {"id", "zellij_session", "root"}
    assert new["text"] == "Refactor database layer"
    assert new["set_at"].endswith("Z")
    assert new["context"]["root"] == str(home.path)
    assert cli("intent").stdout == "Refactor database layer\n"
    assert cli.data("intent", ZELLIJ_SESSION_NAME="other") is None
    assert cli.data("intent", "--clear")["id"] == new["id"]
    assert cli.data("intent") is None
    assert cli("intent", "--clear").returncode == 0


def test_a_text_comes_from_stdin(cli: Cli) -> None:
    assert cli.data("intent", "-", stdin="From a pipe\n")["text"] == "From a pipe"
    assert cli.data("milestone", "-", stdin="Done ünïcode 漢字\n")["text"] == "Done ünïcode 漢字"


def test_an_intent_is_written_in_the_editor(home: Home, cli: Cli) -> None:
    cli("intent", "Before")
    editor = home.path / "my editor"
    editor.write_text("#!/bin/sh\nsed -i 's/Before/After/' \"$1\"\n")
    editor.chmod(0o755)
    with in_terminal(home, "intent", "--edit", VISUAL=f"'{editor}'") as terminal:
        terminal.wait_for("code=0")
        assert "✓ intent: After" in terminal.screen()
    assert cli("intent").stdout == "After\n"
    with in_terminal(home, "intent", "--edit", VISUAL="true") as terminal:
        terminal.wait_for("code=0")
        assert "nothing changed" in terminal.screen()
    with in_terminal(home, "intent", "--edit", VISUAL="false") as terminal:
        terminal.wait_for("code=5")


def test_milestones_take_the_commit_and_can_be_taken_back(home: Home, cli: Cli) -> None:
    repo = home.path / "repo"
    for words in (["init", "-q", str(repo)], ["-C", str(repo), "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *words], env=home.env, check=True)
    head = subprocess.run(
        ["git", "-C", str(repo), "rev-parse", "HEAD"],
        env=home.env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    intent = cli.data("intent", "Try it", cwd=repo)
    new = cli.data(
        "milestone",
        "Works",
        "--kind",
        "checkpoint",
        "--artifact",
        "a.py",
        "--artifact",
        "https://x.y/z",
        cwd=repo,
    )
    assert new.keys() >= MILESTONE_FIELDS
    assert new["commit"] == head
    assert new["kind"] == "checkpoint"
    assert new["artifacts"] == ["a.py", "https://x.y/z"]
    assert new["intent_id"] == intent["id"]
    shown = cli("milestone", cwd=repo).stdout
    assert "◆  Works" in shown
    assert head[:8] in shown
    assert cli.data("milestone", "--undo", cwd=repo)["id"] == new["id"]
    assert cli.data("milestone", cwd=repo) == []
    assert cli.refused("milestone", "--undo", cwd=repo) == (3, "not_found")


# -- history -------------------------------------------------------------------------------


def test_history_is_searched_narrowed_printed_and_forgotten(home: Home, cli: Cli) -> None:
    for folder in ("one", "two"):
        (home.path / folder).mkdir()
        cli.data("intent", f"Look into {folder} *closely*", cwd=home.path / folder)
        cli.data("milestone", f"Found {folder}", cwd=home.path / folder)
    every = cli.data("history")
    assert [entry["text"] for entry in every] == [
        "Found two",
        "Look into two *closely*",
        "Found one",
        "Look into one *closely*",
    ]
    assert [e["text"] for e in cli.data("history", "closely", "one")] == ["Look into one *closely*"]
    assert len(cli.data("history", "--limit", "1")) == 1
    assert len(cli.data("history", "--since", "1h")) == 4
    assert cli.data("history", "--since", "2099-01-01") == []
    assert {e["context"]["root"] for e in cli.data("history", "--repo", "two")} == {str(home.path / "two")}
    context = every[0]["context"]["id"]
    assert len(cli.data("history", "--context", context[-8:])) == 2
    markdown = cli("history", "--markdown").stdout
    assert markdown.startswith("## 20")
    assert "**Look into two \\*closely\\***" in markdown
    short = every[0]["id"][-8:]
    assert cli.data("forget", short, "--yes") == {"intents": 0, "milestones": 1, "snapshots": 0}
    assert len(cli.data("history")) == 3
    nothing = cli("history", "nowhere")
    assert (nothing.returncode, nothing.stdout) == (0, "")


def test_more_history_is_listed_than_one_answer_holds(home: Home, cli: Cli) -> None:
    with zdriver.open() as driver:
        for number in range(1100):
            driver.context.record_milestone(f"step {number}", place=Place(cwd=str(home.path)))
    found = [entry["text"] for entry in cli.data("history", "step", "--limit", "1050")]
    assert found == [f"step {number}" for number in range(1099, 49, -1)]
    assert len(cli.data("history", "--limit", "10000")) == 1100


def test_markdown_shows_the_text_as_it_was_written(cli: Cli) -> None:
    cli("intent", "~~not~~ struck & &amp; $x$ `y`")
    assert "\\~\\~not\\~\\~ struck \\& \\&amp; \\$x\\$ \\`y\\`" in cli("history", "--markdown").stdout


def test_the_context_can_be_named(home: Home, cli: Cli) -> None:
    context = cli.data("intent", "Here")["context"]["id"]
    (home.path / "away").mkdir()
    for words in (["--context", context[-8:], "intent"], ["intent", "--context", context]):
        assert cli.data(*words, cwd=home.path / "away")["text"] == "Here"
    assert cli.refused("--context", "00000000", "intent", "x") == (3, "not_found")


@pytest.mark.parametrize("text", ["", " \n", "x" * 10_001, "a\x07b", "a\x1b[31m"])
@pytest.mark.parametrize("command", ["intent", "milestone"])
def test_text_that_cannot_be_meant_is_refused(command: str, text: str, cli: Cli) -> None:
    assert cli.refused(command, "-", stdin=text)[0] == 2
    assert cli.data("history") == []


def test_a_deleted_folder_is_said_in_one_line(home: Home, cli: Cli) -> None:
    context = cli.data("intent", "Here")["context"]["id"]
    argv = " ".join(program())
    script = (
        f"mkdir gone && cd gone && rmdir ../gone; {argv} intent; echo $?; {argv} --context {context} intent"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=home.env, cwd=home.path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "5\nHere\n"
    assert "the current folder was deleted" in done.stderr


# -- terminals, pipes, signals -------------------------------------------------------------


def test_colours_are_for_terminals(home: Home, cli: Cli) -> None:
    assert "\x1b[" not in cli("intent", "x").stdout
    assert "\x1b[" in cli("intent", "y", FORCE_COLOR="1").stdout
    assert "\x1b[" not in cli("intent", "z", FORCE_COLOR="1", NO_COLOR="1").stdout


def test_a_closed_pipe_is_141_and_silent(home: Home) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*program(), "config", "show"], env=home.env, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.parametrize("no_fork", ["", "1"])
@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ('"$@" intent >&-', 0, []),
        ('"$@" intent --json >&-', 0, []),
        ('"$@" intent after >&-', 0, []),
        ('"$@" intent - <&-', 2, ["error: the intent is empty"]),
        ('"$@" intent "" 2>&-', 2, []),
        ('"$@" history >/dev/full', 1, ["error: the answer cannot be written: No space left on device"]),
        (
            '"$@" history --json >/dev/full',
            1,
            ["error: the answer cannot be written: No space left on device"],
        ),
        ('"$@" intent "" --json >/dev/full', 2, ["error: the intent is empty"]),
        ('"$@" intent "" 2>/dev/full', 2, []),
    ],
)
def test_streams_that_are_closed_or_full_never_end_in_a_traceback(
    script: str, code: int, said: list[str], no_fork: str, home: Home, cli: Cli
) -> None:
    assert cli("intent", "before").returncode == 0
    done = subprocess.run(
        ["sh", "-c", script, "sh", *program()],
        env={**home.env, "ZDRIVER_NO_FORK": no_fork},
        cwd=home.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert [line for line in done.stderr.splitlines() if not line.startswith("hint:")] == said
    assert cli("intent").stdout == ("after\n" if "after" in script else "before\n")


def test_a_question_is_interrupted_with_130(home: Home) -> None:
    with in_terminal(home, "forget", "12345678") as terminal:
        terminal.wait_for("Forget 12345678 for good?")
        terminal.write("\x03")
        terminal.wait_for("code=130")


def test_no_is_no(home: Home, cli: Cli) -> None:
    entry = cli.data("intent", "Stays")["id"]
    with in_terminal(home, "forget", entry) as terminal:
        terminal.wait_for("for good?")
        terminal.write("n\r")
        terminal.wait_for("code=")
    assert cli("intent").stdout == "Stays\n"


# -- the other nouns -----------------------------------------------------------------------


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
        (["snapshot", "save"], 5),
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
    (home.path / ".cache/zellij/permissions.kdl").unlink()
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
    line = {
        "_ZDRIVER_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    return cli(**line).stdout.split()


def test_ids_are_completed_while_the_daemon_runs(cli: Cli, count: Callable[[], int]) -> None:
    assert complete(cli, "zdriver", "forget", "''") == []
    assert count() == 0, "completion starts no daemon"
    entry = cli.data("intent", "Complete me")
    assert complete(cli, "zdriver", "forget", "''") == [f"plain,{entry['id'][-8:]}"]
    assert complete(cli, "zdriver", "intent", "--context", "''") == [f"plain,{entry['context']['id'][-8:]}"]
    assert "plain,milestone" in complete(cli, "zdriver", "mile")


@pytest.fixture
def count(home: Home) -> Callable[[], int]:
    """How many processes of this home's run."""
    return lambda: len(home.running())
