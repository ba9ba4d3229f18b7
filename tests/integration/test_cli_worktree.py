"""`zdriver worktree` and its verbs: made, found, listed, shown; what is refused, and in which words."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.commands import Cli, in_terminal
from tests.integration.daemons import Daemons, program
from tests.integration.shop import Shop
from zdriver.testing import Home, Terminal, until

LINE_FIELDS = {"worktree", "condition", "trouble", "claim", "intent", "current", "host"}


@pytest.fixture
def shop(home: Home, cli: Cli) -> Shop:
    return Shop(home, cli)


# -- making --------------------------------------------------------------------------------


def test_a_worktree_in_one_step(shop: Shop, cli: Cli) -> None:
    shared = shop.container / "sync" / "repo"
    shared.mkdir(parents=True)
    (shared / ".env").write_text("KEY=1\n")
    done = cli("feat", "user-auth", cwd=shop.trunk)
    path = shop.container / "feat-user-auth"
    assert (done.returncode, done.stdout) == (0, f"{path}\n")
    assert done.stderr == "✓ feat-user-auth is made, branch feat-user-auth from main  1 link\n"
    assert shop.git("branch", "--show-current", cwd=path) == "feat-user-auth"
    assert (path / ".env").readlink() == Path("../sync/repo/.env")
    again = cli("worktree", "add", "feat", "user-auth", cwd=path)
    assert (again.returncode, again.stdout) == (0, f"{path}\n")
    assert again.stderr == "✓ feat-user-auth is there already, branch feat-user-auth\n"
    shop.agree()


@pytest.mark.parametrize(
    ("typed", "folder"),
    [
        ("log in twice", "feat-log-in-twice"),
        ("Größe/漢字", "feat-Größe-漢字"),
        ("../../etc", "feat-etc"),
        ("n" * 200, f"feat-{'n' * 200}"),
    ],
)
def test_a_name_is_made_safe_and_shown_as_typed(shop: Shop, cli: Cli, typed: str, folder: str) -> None:
    added = cli.data("feat", typed, cwd=shop.trunk)
    assert added["worktree"]["title"] == typed
    assert added["worktree"]["path"] == str(shop.container / folder)
    assert cli("worktree", "path", folder, cwd=shop.trunk).stdout == f"{shop.container / folder}\n"


def test_a_leading_dash_is_a_name_behind_two_dashes(shop: Shop, cli: Cli) -> None:
    assert cli.refused("feat", "-x", cwd=shop.trunk) == (2, "invalid_input")
    assert cli("feat", "--", "-x", cwd=shop.trunk).stdout == f"{shop.container / 'feat-x'}\n"


def test_from_and_branch_say_where_it_starts_and_what_it_is_called(shop: Shop, cli: Cli) -> None:
    first = shop.git("rev-parse", "HEAD")
    shop.git("tag", "v1")
    shop.commit(shop.trunk)
    added = cli.data("fix", "old", "--from", "v1", "--branch", "repair/old", cwd=shop.trunk)
    path = Path(added["worktree"]["path"])
    assert shop.git("rev-parse", "HEAD", cwd=path) == first
    assert shop.git("branch", "--show-current", cwd=path) == "repair/old"
    shop.git("branch", "there-already", "v1")
    used = cli.data("exp", "used", "--branch", "there-already", cwd=shop.trunk)
    assert shop.git("rev-parse", "HEAD", cwd=Path(used["worktree"]["path"])) == first


def test_exec_runs_there_and_its_exit_code_is_ours(shop: Shop, cli: Cli) -> None:
    done = cli("exp", "cache", "--exec", "git branch --show-current; exit 7", cwd=shop.trunk, SHELL="/bin/sh")
    assert (done.returncode, done.stdout) == (7, "exp-cache\n")


def test_no_cd_prints_the_path_and_tells_the_shell_nothing(shop: Shop, cli: Cli, tmp_path: Path) -> None:
    told = tmp_path / "cd"
    told.touch()
    path = str(shop.container / "feat-a")
    stayed = cli("feat", "a", "--no-cd", cwd=shop.trunk, ZDRIVER_CD_FILE=str(told))
    assert (stayed.stdout, told.read_text()) == (f"{path}\n", "")
    cli("feat", "a", cwd=shop.trunk, ZDRIVER_CD_FILE=str(told))
    assert told.read_text() == path
    told.write_text("")
    assert cli.data("feat", "a", cwd=shop.trunk, ZDRIVER_CD_FILE=str(told))["created"] is False
    assert told.read_text() == path


def test_a_hook_that_fails_keeps_the_worktree_and_exit_code_1(shop: Shop, cli: Cli) -> None:
    (shop.trunk / ".zdriver.toml").write_text('[hooks]\npost-create = "echo preparing; exit 9"\n')
    shop.git("add", ".")
    shop.git("commit", "-q", "-m", "hooks")
    left_out = cli("feat", "one", cwd=shop.trunk)
    assert left_out.returncode == 0
    assert "post-create of feat-one was left out: it is not approved" in left_out.stderr
    cli("worktree", "hooks", "approve", "feat-one", "--yes", cwd=shop.trunk)
    failed = cli("feat", "two", "--exec", "echo never", cwd=shop.trunk)
    assert failed.returncode == 1
    assert "preparing" in failed.stdout + failed.stderr
    assert "failed with exit code 9" in failed.stderr
    assert "never" not in failed.stdout
    assert (shop.container / "feat-two" / "models.py").exists()
    quiet = cli("feat", "three", "--no-hooks", cwd=shop.trunk)
    assert (quiet.returncode, "preparing" in quiet.stdout + quiet.stderr) == (0, False)


def test_ctrl_c_ends_the_waiting_and_leaves_nothing_half_made(shop: Shop, cli: Cli, home: Home) -> None:
    """git is held up in its own hook, post-checkout, until we have typed Ctrl-C."""
    gate = home.path / "gate"
    os.mkfifo(gate)
    hook = shop.trunk / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\n: > {gate}.reached\nread -r _ < {gate}\n")
    hook.chmod(0o755)
    cli("worktree", "list", cwd=shop.trunk)
    argv = ["/bin/bash", "-c", '"$@"; echo code=$?; read -r _', "bash", *program(), "feat", "slow"]
    with Terminal(argv, env=home.env, cwd=shop.trunk) as terminal:
        until(lambda: home.path.joinpath("gate.reached").exists(), what="git is at work")
        terminal.write("\x03")
        terminal.wait_for("code=130")
        assert "the daemon finishes what it began" in terminal.screen()
    gate.write_text("go on\n")
    line = until(
        lambda: next((each for each in _lines(shop) if not each["trouble"]), None), what="it is made"
    )
    assert line["worktree"]["name"] == "feat-slow"
    hook.unlink()
    shop.agree()


def _lines(shop: Shop) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = shop.cli.data("worktree", "list", cwd=shop.trunk)
    return [line for line in lines if not line["worktree"]["trunk"]]


# -- refused -------------------------------------------------------------------------------


def test_bad_input_is_said_and_nothing_is_half_done(shop: Shop, cli: Cli, home: Home) -> None:
    nowhere = home.path / "nowhere"
    nowhere.mkdir()
    for words in (["feat", "x"], ["worktree", "list"], ["remove", "x"], ["merge"], ["worktree", "prune"]):
        assert cli.refused(*words, cwd=nowhere) == (3, "not_found")
    assert cli.refused("worktree", "add", "nonsense", "x", cwd=shop.trunk) == (3, "not_found")
    assert "aiops, devops, exp" in cli("worktree", "add", "nonsense", "x", cwd=shop.trunk).stderr
    assert cli.refused("feat", "x", "--from", "no-such-ref", cwd=shop.trunk) == (3, "not_found")
    assert cli.refused("feat", "x", "--branch", "a..b", cwd=shop.trunk) == (2, "invalid_input")
    assert cli.refused("worktree", "show", "nonsense", cwd=shop.trunk) == (3, "not_found")
    assert shop.names() == ["trunk"]
    assert not shop.container.exists()


def test_a_path_in_the_way_and_a_branch_that_is_out_elsewhere(shop: Shop, cli: Cli) -> None:
    in_the_way = shop.container / "feat-x"
    in_the_way.mkdir(parents=True)
    (in_the_way / "mine").write_text("precious\n")
    assert cli.refused("feat", "x", cwd=shop.trunk) == (4, "conflict")
    assert str(in_the_way) in cli("feat", "x", cwd=shop.trunk).stderr.replace("~", str(shop.home.path))
    assert (in_the_way / "mine").read_text() == "precious\n"
    assert shop.git("branch", "--list", "feat-x") == ""
    shop.made("a")
    assert cli.refused("fix", "b", "--branch", "feat-a", cwd=shop.trunk) == (4, "conflict")
    assert "feat-a" in cli("fix", "b", "--branch", "feat-a", cwd=shop.trunk).stderr
    assert shop.names() == ["trunk", "feat-a"]


def test_a_part_of_a_name_that_several_have_is_ambiguous(shop: Shop, cli: Cli) -> None:
    shop.made("auth-web")
    shop.made("auth-cli")
    assert cli.refused("remove", "auth", cwd=shop.trunk) == (2, "ambiguous")
    said = cli("worktree", "show", "auth", cwd=shop.trunk).stderr
    assert "feat-auth-cli" in said
    assert "feat-auth-web" in said
    assert "did you mean feat-auth-web?" in cli("worktree", "show", "auht-web", cwd=shop.trunk).stderr


# -- looking -------------------------------------------------------------------------------


def test_the_list_tells_how_each_stands(shop: Shop, cli: Cli) -> None:
    path = shop.made("user-auth")
    shop.commit(path)
    shop.commit(shop.trunk, "other.py")
    (path / "staged").touch()
    shop.git("add", "staged", cwd=path)
    (path / "models.py").write_text("changed\n")
    (path / "untracked").touch()
    cli("claim", "feat-user-auth", "--agent", "claude-1", cwd=path)
    cli("intent", "Log users in by passkey", cwd=path)
    trunk, line = cli.data("worktree", "list", cwd=path)
    assert line.keys() == trunk.keys() == LINE_FIELDS
    assert (trunk["worktree"]["trunk"], trunk["current"], line["current"]) == (True, False, True)
    state = line["condition"]
    assert [state[key] for key in ("staged", "changed", "untracked", "ahead", "behind")] == [1, 1, 1, 1, 1]
    assert line["claim"]["agent"] == "claude-1"
    assert line["intent"] == "Log users in by passkey"
    shown = cli("worktree", "list", cwd=path).stdout.splitlines()
    assert shown[0].split() == ["worktree", "type", "branch", "base", "work", "held", "by", "age", "for"]
    assert shown[2].startswith("*  feat-user-auth  feat")
    for word in ("↑1 ↓1", "+1 ~1 ?1", "claude-1 until ", "Log users in by passkey"):
        assert word in shown[2]
    assert cli.data("worktree", "show", cwd=path)["worktree"] == line["worktree"]
    words = cli("worktree", "show", "user-auth", cwd=shop.trunk).stdout
    assert "1 commit more than main, 1 commit of main missing" in words
    assert "1 staged, 1 changed, 1 untracked" in words
    fast = cli.data("worktree", "list", "--fast", cwd=path)
    assert [each["condition"] for each in fast] == [None, None]


def test_the_list_beside_the_remote_branch(shop: Shop, cli: Cli, home: Home) -> None:
    remote = home.path / "shop.git"
    shop.git("init", "-q", "--bare", str(remote))
    shop.git("remote", "add", "origin", str(remote))
    path = shop.made("pushed")
    shop.git("push", "-q", "-u", "origin", "feat-pushed", cwd=path)
    assert "  =" in cli("worktree", "list", cwd=path).stdout.splitlines()[2]
    shop.commit(path)
    assert "origin/feat-pushed, 1 commit to push" in cli("worktree", "show", cwd=path).stdout


def test_the_list_fits_the_terminal(shop: Shop, home: Home, cli: Cli) -> None:
    path = shop.made("a rather long name of a worktree")
    cli("intent", "An intent that goes on and on, and says more than has room on a line " * 2, cwd=path)
    script = f"cd {path}; zdriver worktree list; echo code=$?; read -r _"
    for columns in (60, 80, 120):
        argv = ["/bin/bash", "-c", script.replace("zdriver", shlex.join(program()), 1)]
        with Terminal(argv, env=home.env, cwd=path, columns=columns) as terminal:
            terminal.wait_for("code=0")
            lines = [line for line in terminal.screen().splitlines() if line.strip()]
        assert len(lines) == 4, lines
        assert lines[2].startswith("*  feat-a-rather-long-name")
        assert lines[2].endswith("…") or columns == 60


def test_what_was_made_or_removed_by_other_means_is_seen(shop: Shop, cli: Cli, home: Home) -> None:
    other = home.path / "other"
    shop.git("worktree", "add", "-q", "-b", "fix/other", str(other))
    said = cli("worktree", "list", cwd=shop.trunk)
    assert f"zdriver worktree adopt {other}" in said.stderr
    assert "other" in said.stdout
    refused = cli("remove", "other", cwd=shop.trunk)
    assert refused.returncode == 4
    assert "was not made by zdriver" in refused.stderr
    adopted = cli.data("worktree", "adopt", "../other", "--type", "exp", cwd=shop.trunk)
    assert (adopted["name"], adopted["type"], adopted["path"]) == ("other", "exp", str(other))
    assert cli("remove", "other", cwd=shop.trunk).returncode == 0
    assert shop.git("branch", "--list", "fix/other") == "fix/other"
    gone = shop.made("gone")
    shop.git("worktree", "remove", str(gone))
    assert shop.names() == ["trunk"]
    assert cli("worktree", "repair", "--dry-run", cwd=shop.trunk).stdout == ""


def test_variables_are_for_a_shell(shop: Shop, cli: Cli) -> None:
    (shop.trunk / ".zdriver.toml").write_text('ports = ["WEB_PORT"]\n')
    shop.git("add", ".")
    shop.git("commit", "-q", "-m", "ports")
    one, two = shop.made("one"), shop.made("two's")
    told = cli.data("worktree", "env", cwd=one)
    assert told["ZDRIVER_WORKTREE"] == "feat-one"
    assert told["WEB_PORT"].isdigit()
    assert cli.data("worktree", "env", "two-s", cwd=one)["WEB_PORT"] != told["WEB_PORT"]
    lines = cli("worktree", "env", cwd=two).stdout
    script = f'{lines}\nprintf "%s" "$ZDRIVER_WORKTREE_PATH"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == str(two)


# -- types ---------------------------------------------------------------------------------


def test_a_review_is_not_made_by_a_name(shop: Shop, cli: Cli) -> None:
    assert cli.refused("worktree", "add", "review", "12", cwd=shop.trunk) == (2, "invalid_input")
    assert "zdriver review PR" in cli("worktree", "add", "review", "12", cwd=shop.trunk).stderr
    assert not shop.container.exists()


def test_a_type_of_ones_own_is_a_verb(shop: Shop, cli: Cli, daemons: Daemons) -> None:
    assert cli.refused("chore", "tidy", cwd=shop.trunk) == (2, "invalid_input")
    assert not daemons.pids(), "nothing is stored yet: no daemon is started to say that"
    added = cli("worktree", "types", "add", "chore", "--description", "what nobody sees")
    assert added.stdout == "✓ chore is a type now: zdriver chore NAME\n"
    assert cli("chore", "tidy", cwd=shop.trunk).stdout == f"{shop.container / 'chore-tidy'}\n"
    assert "zdriver chore user-auth" in cli("chore", "--help").stdout
    assert {each["name"] for each in cli.data("worktree", "types")} >= {"feat", "chore", "review"}
    assert cli.refused("worktree", "types", "remove", "chore") == (4, "conflict")
    assert cli.refused("worktree", "types", "remove", "feat") == (4, "conflict")
    assert cli.refused("worktree", "types", "add", "Chore!") == (2, "invalid_input")
    cli("remove", "tidy", cwd=shop.trunk)
    assert cli("worktree", "types", "remove", "chore").returncode == 0
    assert cli.refused("chore", "tidy", cwd=shop.trunk) == (2, "invalid_input")
    hidden = cli("worktree", "types", "add", "go")
    assert hidden.stdout == "✓ go is a type now: zdriver worktree add go NAME\n"


def test_names_and_types_are_completed(shop: Shop, cli: Cli) -> None:
    shop.made("user-auth")

    def completed(line: str) -> list[str]:
        words = line.split(" ")
        said = cli(
            cwd=shop.trunk,
            _ZDRIVER_COMPLETE="bash_complete",
            COMP_WORDS=line,
            COMP_CWORD=str(len(words) - 1),
        )
        return [each.partition(",")[2] for each in said.stdout.splitlines()]

    assert completed("zdriver remove feat") == ["feat-user-auth"]
    assert completed("zdriver merge user") == ["feat-user-auth"]
    assert completed("zdriver worktree add ex") == ["exp"]
    assert completed("zdriver ai") == ["aiops"]
    assert completed("zdriver worktree ad") == ["add", "adopt"]


def test_json_is_one_envelope_even_without_a_repository(home: Home, cli: Cli) -> None:
    said = json.loads(cli("worktree", "list", "--json").stdout)
    assert said["ok"] is False
    with in_terminal(home, "worktree", "list") as terminal:
        terminal.wait_for("code=3")
        assert "is in no git repository" in terminal.screen()
